#!/usr/bin/env bash
# PeerJS' default serialization (peerjs-js-binarypack 2.1.0, in peerjs 1.5.5) delivers whole numbers below -2^31 as other numbers,
# and NaN as 1.1125369292536007e-308.
#
# Expected: numbers of JavaScript arrive as they are, as positive ones up to 2^53 and all fractions of everyday size do, or
# `send` raises an error, as it does for Infinity. Seen: the bytes of a whole number below -2^31 are right, but the reader
# takes them for a large unsigned one first, which has no room for the last bits: what arrives is up to 1,279 off, an
# amount of -21,474,836.49 in cents by one. NaN becomes a tiny positive number, which no test for NaN finds, and -0 becomes 0. As
# nothing fails, the sums of both ends drift apart. A fraction (-3000000000.5) and a text are safe.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent peerjs-js-binarypack@2.1.0
cat >run.cjs <<'JS'
const { pack, unpack } = require("peerjs-js-binarypack");

const show = (value) => (Object.is(value, -0) ? "-0" : `${value}`);
const through = (value) => {
  try {
    return unpack(pack(value));
  } catch (error) {
    return error.message;
  }
};
const values = [
  4294967296, 9007199254740991, -2147483648, -2147483649, -4294967297, -1700000000123, -9007199254740991, -3000000000.5, NaN, -0, Infinity,
];
for (const value of values) console.log(`${show(value)} arrives as ${show(through(value))}`);

// How many of a thousand whole numbers survive, spread over a range.
const survive = (from, to) => {
  const numbers = Array.from({ length: 1000 }, (_, at) => Math.floor(from + ((to - from) * (at + 0.37)) / 1000));
  const off = numbers.map((number) => Math.abs(through(number) - number));
  return `${off.filter((by) => by === 0).length} are right${Math.max(...off) > 1000 ? ", some are more than 1,000 off" : ""}`;
};
console.log(`of 1000 between 2^31 and 2^53: ${survive(2 ** 31, 2 ** 53)}`);
console.log(`of 1000 between -2^31 and 0: ${survive(-(2 ** 31), 0)}`);
console.log(`of 1000 between -2^53 and -2^31: ${survive(-(2 ** 53), -(2 ** 31))}`);
JS
cat >expected <<'TEXT'
4294967296 arrives as 4294967296
9007199254740991 arrives as 9007199254740991
-2147483648 arrives as -2147483648
-2147483649 arrives as -2147483648
-4294967297 arrives as -4294967296
-1700000000123 arrives as -1700000000000
-9007199254740991 arrives as -9007199254740992
-3000000000.5 arrives as -3000000000.5
NaN arrives as 1.1125369292536007e-308
-0 arrives as 0
Infinity arrives as Invalid integer
of 1000 between 2^31 and 2^53: 1000 are right
of 1000 between -2^31 and 0: 1000 are right
of 1000 between -2^53 and -2^31: 0 are right, some are more than 1,000 off
TEXT
node run.cjs | tee seen
diff expected seen && echo "as described: peerjs-js-binarypack 2.1.0, Node $(node --version)"
