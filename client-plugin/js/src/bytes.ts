/** Bytes and texts: lengths in UTF-8, cutting, and base64. */

/** Returns the bytes of a text in UTF-8. */
export function utf8Length(text: string): number {
  let bytes = text.length;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    // Each half of a surrogate pair counts two.
    if (unit > 0x7f) bytes += unit > 0x7ff && (unit < 0xd800 || unit > 0xdfff) ? 2 : 1;
  }
  return bytes;
}

/** Returns as much of a text as has at most so many bytes, cut at the border of a character. */
export function cut(text: string, limit: number): string {
  if (text.length * 3 <= limit) return text;
  let bytes = 0;
  for (let at = 0; at < text.length; ) {
    const code = text.codePointAt(at) ?? 0;
    bytes += code > 0xffff ? 4 : code > 0x7ff ? 3 : code > 0x7f ? 2 : 1;
    if (bytes > limit) return text.slice(0, at);
    at += code > 0xffff ? 2 : 1;
  }
  return text;
}

/** Returns true if a value is a text of whole characters: half of a surrogate pair is none. */
export const isText = (value: unknown): value is string => typeof value === "string" && !/\p{Cs}/u.test(value);

/** Returns a text whose halves of surrogate pairs are replaced: a parser of JSON takes none. */
export const whole = (text: string): string => text.replace(/\p{Cs}/gu, "\ufffd");

/** Returns what an error tells, whatever was thrown. */
export function describe(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message : error);
  } catch {
    return "an error that cannot be told"; // Its conversion to a text throws, too.
  }
}

/** Spells bytes in base64 with padding. */
export function toBase64(bytes: Uint8Array): string {
  let text = "";
  // A call takes a limited number of arguments.
  for (let at = 0; at < bytes.length; at += 0x8000) {
    text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  }
  return btoa(text);
}

/** Reads base64 with padding; returns undefined if the text is anything else. */
export function fromBase64(text: string): Uint8Array | undefined {
  // `atob` would also take white space, and texts without padding.
  if (text.length % 4 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined;
  const bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  // Bits that stand for nothing must be 0: equal bytes have equal texts.
  return text.endsWith("=") && toBase64(bytes.subarray(-((bytes.length - 1) % 3) - 1)) !== text.slice(-4) ? undefined : bytes;
}
