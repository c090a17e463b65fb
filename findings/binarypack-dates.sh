#!/usr/bin/env bash
# PeerJS' default serialization (peerjs-js-binarypack 2.1.0, in peerjs 1.5.5) sends a `Date` as a text for readers, in the
# sender's time zone and without milliseconds.
#
# Expected: a `Date` arrives as one, or as JSON has it, `2023-11-14T22:13:20.123Z`. Seen: what arrives is what `String(date)` is:
# "Wed Nov 15 2023 07:13:20 GMT+0900 (Japan Standard Time)". Milliseconds are gone, so that a round trip measured by it is off by up to a
# second, and the texts of two peers in different zones cannot be sorted. Every typed array arrives as a bare
# `ArrayBuffer` of its bytes, a `Float32Array` of one value as four bytes, and `undefined` as null. So send `date.getTime()`.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent peerjs-js-binarypack@2.1.0
cat >run.cjs <<'JS'
const { pack, unpack } = require("peerjs-js-binarypack");

const through = (value) => unpack(pack(value));
const show = (value) => (value instanceof ArrayBuffer ? `ArrayBuffer of ${value.byteLength}` : JSON.stringify(value));
const date = new Date(1700000000123);
console.log(`a Date as JSON: ${JSON.stringify(date)}`);
console.log(`a Date: ${show(through(date))}`);
console.log(`a Date in an object: ${show(through({ at: date }))}`);
console.log(`milliseconds lost: ${date - new Date(through(date))}`);
console.log(`a Float32Array of 1: ${show(through(new Float32Array(1)))}`);
console.log(`a Uint8Array of 1: ${show(through(new Uint8Array(1)))}`);
console.log(`undefined in an object: ${show(through({ at: undefined }))}`);
JS
cat >expected <<'TEXT'
a Date as JSON: "2023-11-14T22:13:20.123Z"
a Date: "Wed Nov 15 2023 07:13:20 GMT+0900 (Japan Standard Time)"
a Date in an object: {"at":"Wed Nov 15 2023 07:13:20 GMT+0900 (Japan Standard Time)"}
milliseconds lost: 123
a Float32Array of 1: ArrayBuffer of 4
a Uint8Array of 1: ArrayBuffer of 1
undefined in an object: {"at":null}
TEXT
TZ=Asia/Tokyo LC_ALL=C node run.cjs | tee seen
diff expected seen && echo "as described: peerjs-js-binarypack 2.1.0, Node $(node --version)"
