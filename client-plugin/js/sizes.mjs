// Prints which source files the bytes of a file for pages come from: minified, and the bytes that gzip saves if they are
// left out.
//
//   node sizes.mjs [dist/socketio-p2p.min.js]

import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const [name = 'dist/socketio-p2p.min.js'] = process.argv.slice(2);
const code = readFileSync(name, 'utf8').replace(/\/\/# sourceMappingURL=.*\s*$/, '');
const { mappings, sources } = JSON.parse(readFileSync(`${name}.map`, 'utf8'));
const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** Reads the numbers of a segment: base64 digits of five bits each, the lowest first, with the sign last. */
function numbers(segment) {
  const all = [];
  let [value, shift] = [0, 0];
  for (const char of segment) {
    const digit = DIGITS.indexOf(char);
    value += (digit & 31) << shift;
    shift += 5;
    if (digit & 32) continue;
    all.push(value & 1 ? -(value >> 1) : value >> 1);
    [value, shift] = [0, 0];
  }
  return all;
}

/** The pieces of the file, each with the source from which it was made. */
const pieces = [];
const lines = code.split('\n');
let source = 0;
mappings.split(';').forEach((line, row) => {
  let column = 0;
  const text = `${lines[row] ?? ''}\n`;
  let last = { from: 0, source: undefined };
  const end = (at) => pieces.push({ source: last.source, text: text.slice(last.from, at) });
  for (const segment of line.split(',').filter(Boolean)) {
    const [columns, file = 0] = numbers(segment);
    end(column + columns);
    column += columns;
    source += file;
    last = { from: column, source };
  }
  end(text.length);
});

const size = (without) => gzipSync(pieces.filter((piece) => piece.source !== without).map(({ text }) => text).join(''), { level: 9 }).length;
const all = size(-1);
const rows = sources.map((path, index) => ({
  path: path.replace(/^.*src\//, ''),
  bytes: pieces.reduce((sum, piece) => sum + (piece.source === index ? piece.text.length : 0), 0),
  gzip: all - size(index),
}));
for (const { path, bytes, gzip } of rows.sort((one, other) => other.gzip - one.gzip)) {
  console.log(`${String(bytes).padStart(6)} ${String(gzip).padStart(6)}  ${path}`);
}
console.log(`${String(code.length).padStart(6)} ${String(all).padStart(6)}  ${name}`);
