// simple-peer on @roamhq/wrtc as one end of the direct benchmark, driven by lines of JSON: the
// orders and answers of tests/direct/end.rs.
import { performance } from "node:perf_hooks";
import readline from "node:readline";
import Peer from "simple-peer";
import wrtc from "@roamhq/wrtc";

const initiator = process.argv[2] === "offerer";
const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");
const ends = new Map();

function start(of) {
  const began = performance.now();
  const peer = new Peer({ initiator, wrtc, config: { iceServers: [] } });
  const end = { peer, expected: 0, reply: undefined };
  ends.set(of, end);
  peer.on("signal", (signal) => say({ of, signal }));
  peer.on("connect", () => say({ of, event: "open", ms: performance.now() - began }));
  peer.on("error", (error) => say({ of, event: "error", message: error.message }));
  peer.on("close", () => {
    ends.delete(of);
    say({ of, event: "closed" });
  });
  peer.on("data", (data) => {
    if (end.expected > 0) {
      end.expected -= data.length;
      if (end.expected <= 0) peer.send("all there");
    } else if (end.reply) {
      end.reply();
    } else {
      peer.send(data);
    }
  });
  return end;
}

const replied = (end) => new Promise((resolve) => (end.reply = resolve));

async function trips(end, count) {
  const message = Buffer.alloc(64, 1);
  const micros = [];
  while (micros.length < count) {
    const reply = replied(end);
    const began = performance.now();
    end.peer.send(message);
    await reply;
    micros.push((performance.now() - began) * 1000);
  }
  micros.sort((a, b) => a - b);
  const at = (share) => micros[Math.min(Math.floor(count * share), count - 1)];
  return { p50: at(0.5), p99: at(0.99) };
}

// Faster than through its stream, which goes on only when 64 KiB or less are waiting: that makes
// a third as many MB/s. Of the windows tried, from 256 KiB, this was the fastest.
const WINDOW = 4 << 20;
// Milliseconds, for the event may have come before anybody waited for it.
const LOOK_ANYHOW = 20;

async function bulk(end, bytes, chunk) {
  const message = Buffer.alloc(chunk, 7);
  const reply = replied(end);
  const channel = end.peer._channel;
  channel.bufferedAmountLowThreshold = WINDOW / 2;
  const began = performance.now();
  for (let left = bytes; left > 0; left -= chunk) {
    end.peer.send(message);
    while (channel.bufferedAmount > WINDOW) {
      await new Promise((resolve) => {
        channel.onbufferedamountlow = resolve;
        setTimeout(resolve, LOOK_ANYHOW);
      });
    }
  }
  await reply;
  return { seconds: (performance.now() - began) / 1000 };
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  const { of, order, ...rest } = JSON.parse(line);
  if (rest.signal) (ends.get(of) ?? start(of)).peer.signal(rest.signal);
  else if (order === "open") start(of);
  else if (order === "close") ends.get(of)?.peer.destroy();
  else if (order === "trips") say({ of, ...(await trips(ends.get(of), rest.count)) });
  else if (order === "bulk") say({ of, ...(await bulk(ends.get(of), rest.bytes, rest.chunk)) });
  else if (order === "expect") {
    ends.get(of).expected = rest.bytes;
    say({ of, ready: true });
  }
}
process.exit();
