#!/usr/bin/env bash
# What sdp-transform 3.0.0 has read of a description and writes again lacks a candidate's `ufrag`, a second fingerprint, all ICE
# options but one and the `-only` of `rtcp-mux-only`.
#
# Expected: `write(parse(sdp))` says what `sdp` said, perhaps in another order, as all use it that change one line of a description; what the
# library does not know is kept as it is, as it does with unknown attributes. Seen: of what it knows in part, it drops
# the rest. Without `ufrag` a candidate of an ICE restart cannot be told from one of before; `trickle renomination` is
# `trickle`; of two fingerprints, one of which the other end may not know, the last is left; and
# `a=msid:-`, which names no track, gets one called "undefined". Nothing is reported.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent sdp-transform@3.0.0
cat >run.mjs <<'JS'
import transform from "sdp-transform";

const session = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0"];
const media = ["m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "c=IN IP4 0.0.0.0", "a=mid:0"];

// What of these lines comes back, and what instead of them.
function round(lines) {
  const written = transform.write(transform.parse([...session, ...media, ...lines, ""].join("\r\n"))).trim().split("\r\n");
  return written.filter((line) => ![...session, ...media].includes(line)).join(" | ") || "nothing";
}

const cases = [
  ["a=x-unknown:1 2"],
  ["a=max-message-size:262144"],
  ["a=candidate:1 1 udp 2122260223 192.0.2.1 5000 typ host generation 0 ufrag abcd network-id 1"],
  ["a=candidate:1 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active"],
  ["a=ice-options:trickle renomination"],
  ["a=ice-options:trickle", "a=ice-options:ice2"],
  ["a=fingerprint:sha-256 AA:BB", "a=fingerprint:sha-512 CC:DD"],
  ["a=rtcp-mux-only"],
  ["a=msid:stream track"],
  ["a=msid:-"],
  ["a=extmap:1 urn:x one two"],
  ["a=source-filter: incl IN IP4 * 192.0.2.1", "a=source-filter: incl IN IP4 * 192.0.2.2"],
];
for (const lines of cases) {
  const back = round(lines);
  console.log(`${lines.join(" | ")}: ${back === lines.join(" | ") ? "the same" : back}`);
}
JS
cat >expected <<'TEXT'
a=x-unknown:1 2: the same
a=max-message-size:262144: the same
a=candidate:1 1 udp 2122260223 192.0.2.1 5000 typ host generation 0 ufrag abcd network-id 1: a=candidate:1 1 udp 2122260223 192.0.2.1 5000 typ host generation 0
a=candidate:1 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active: the same
a=ice-options:trickle renomination: a=ice-options:trickle
a=ice-options:trickle | a=ice-options:ice2: a=ice-options:ice2
a=fingerprint:sha-256 AA:BB | a=fingerprint:sha-512 CC:DD: a=fingerprint:sha-512 CC:DD
a=rtcp-mux-only: a=rtcp-mux
a=msid:stream track: the same
a=msid:-: a=msid:- undefined
a=extmap:1 urn:x one two: a=extmap:1 urn:x one
a=source-filter: incl IN IP4 * 192.0.2.1 | a=source-filter: incl IN IP4 * 192.0.2.2: a=source-filter: incl IN IP4 * 192.0.2.2
TEXT
node run.mjs | tee seen
diff expected seen && echo "as described: sdp-transform 3.0.0, Node $(node --version)"
