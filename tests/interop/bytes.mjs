// Bytes in JSON lines: {"$bin":"<base64>"}.

// A value whose bytes can be printed as JSON. Key order stays.
export function printable(value) {
  if (value instanceof ArrayBuffer) return { $bin: Buffer.from(value).toString('base64') };
  if (ArrayBuffer.isView(value)) {
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    return { $bin: bytes.toString('base64') };
  }
  return mapped(value, printable);
}

// The value that `printable` was made from.
export function revived(value) {
  if (typeof value?.$bin === 'string') return Buffer.from(value.$bin, 'base64');
  return mapped(value, revived);
}

function mapped(value, step) {
  if (Array.isArray(value)) return value.map(step);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, step(inner)]));
}
