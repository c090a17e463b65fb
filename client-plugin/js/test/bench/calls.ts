/**
 * The processor time of an acknowledged emit over the direct path, both ends together, without a network: what the
 * package itself adds to a round trip.
 *
 *   node build/test/bench/calls.js [CALLS]
 */

import { FakePeerConnection } from "../fake-peer-connection.js";
import { FakeServer } from "../fake-server.js";

const CALLS = Number(process.argv[2] ?? 20_000);
const ROUNDS = 5;

const server = new FakeServer();
const settings = { paths: "prefer-direct", PeerConnection: FakePeerConnection } as const;
const [one, other] = [await server.connect("one", settings), await server.connect("other", settings)];
other.on2("echo", (value: unknown) => value);
const isDirect = new Promise<void>((resolve) => one.on("path", ({ path }) => path === "direct" && resolve()));
await one.register("other");
await isDirect;

const used = (): number => {
  const { user, system } = process.cpuUsage();
  return user + system;
};
const measure = async (call: (at: number) => Promise<unknown>): Promise<number> => {
  const begin = used();
  for (let at = 0; at < CALLS; at++) await call(at);
  return (used() - begin) / CALLS;
};
const bare = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
const [calls, floor]: [number[], number[]] = [[], []];
for (let round = 0; round < ROUNDS; round++) {
  calls.push(await measure((at) => one.with({ path: "direct" }).emit2("echo", at)));
  floor.push(await measure(bare));
}
const median = (all: number[]) => (all.sort((a, b) => a - b)[all.length >> 1] as number).toFixed(1);
console.log(`an acknowledged emit: ${median(calls)} us, two tasks of the event loop alone: ${median(floor)} us`);
process.exit();
