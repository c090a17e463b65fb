// Rooms of programs and Rust clients, on the example server.

import assert from "node:assert/strict";
import { test } from "node:test";

import { connect, type ConnectSettings, type Mesh, type MeshClient } from "../../src/mesh.js";
import { atEnd, FaultProxy, interop, RustPeer, startServer } from "./programs.js";

const { RTCPeerConnection } = interop("@roamhq/wrtc");

async function client(url: string, id: string, settings: Partial<ConnectSettings> = {}): Promise<MeshClient> {
  const client = await connect(url, { id, paths: "relay-only", ...settings });
  atEnd(() => void client.close());
  return client;
}

/** Waits until a mesh is as it should be. It is looked at after each of its events. */
async function until(mesh: Mesh, is: () => boolean): Promise<void> {
  if (is()) return;
  for await (const _ of mesh.events()) if (is()) return;
  throw new Error("the mesh is over");
}

const ids = (mesh: Mesh): string[] => mesh.members.map(({ id }) => id);

test("programs and Rust clients in one room answer each other's broadcasts, and members come and go", async () => {
  const server = await startServer();
  const rust = [await RustPeer.start(server.url, "rust-1"), await RustPeer.start(server.url, "rust-2")];
  const add = (a: number, b: number) => a + b;
  const [a, b] = [await client(server.url, "a", { on2: { add } }), await client(server.url, "b", { on2: { add } })];
  const [mesh, other] = [await a.joinMesh("lobby"), await b.joinMesh("lobby")];
  for (const peer of rust) peer.obey({ cmd: "join", room: "lobby" });
  for (const one of [mesh, other]) await until(one, () => one.members.length === 3);

  const bytes = Uint8Array.from({ length: 40_000 }, (_, at) => at % 251);
  const replies = await mesh.broadcast2("ask", "hi", bytes);
  rust[0]?.obey({ cmd: "broadcast", id: 7, room: "lobby", event: "add", args: [2, 3] });
  const sums = [await rust[0]?.until("reply"), await rust[0]?.until("reply")].map((line) => line?.["value"]);
  const echo = await mesh.emit2To("rust-2", "ask", "you");

  const shown = replies.map(({ member, value, error }) => [member, value ?? error?.code]);
  assert.deepEqual(shown, [["b", "unhandled"], ["rust-1", { echo: ["hi", bytes] }], ["rust-2", { echo: ["hi", bytes] }]]);
  // The third member is the other Rust client, whose answer is no number.
  assert.equal(sums.filter((sum) => sum === 5).length, 2);
  assert.deepEqual(echo, { echo: ["you"] });
  rust[1]?.obey({ cmd: "quit" });
  await until(mesh, () => !ids(mesh).includes("rust-2"));
  await other.leave();
  await until(mesh, () => !ids(mesh).includes("b"));
  assert.deepEqual(ids(mesh), ["rust-1"]);
});

test("a room has a place less for each member, and every refusal is told", async () => {
  const server = await startServer();
  const [a, b, c] = [await client(server.url, "a"), await client(server.url, "b"), await client(server.url, "c")];
  await a.joinMesh("small", { maxPeers: 2 });
  await b.joinMesh("small");

  const full = await c.joinMesh("small").catch((error: unknown) => error as { code: string; isRetryable: boolean });

  assert.ok("code" in full);
  assert.deepEqual([full.code, full.isRetryable], ["quota", true]);
});

test("a member that loses its connection is away and back, and nothing is lost or executed twice", async () => {
  const server = await startServer();
  const proxy = await FaultProxy.start(server.port);
  const arrived: number[] = [];
  const [a, b] = [await client(server.url, "a"), await client(proxy.url, "b", { on2: { n: (n: number) => void arrived.push(n) } })];
  const mesh = await a.joinMesh("lobby");
  const other = await b.joinMesh("lobby");
  await until(mesh, () => mesh.members.length === 1);
  const states: string[] = [];
  mesh.on("member", ({ state }) => states.push(state));
  const emit = (from: number) => Array.from({ length: 50 }, (_, at) => mesh.with({ timeout: 60_000 }).emit2To("b", "n", from + at));

  await Promise.all(emit(0));
  const isAway = until(mesh, () => mesh.members[0]?.isAway === true);
  proxy.isDown = true;
  proxy.cut();
  await isAway;
  const late = emit(50);
  proxy.isDown = false;
  await Promise.all(late);

  assert.deepEqual(arrived, Array.from({ length: 100 }, (_, at) => at));
  assert.deepEqual(states, ["away", "back"]);
  assert.ok(other.isMember);
});

test("after a restart of the server all are members again", async () => {
  const server = await startServer();
  const [a, b] = [await client(server.url, "a"), await client(server.url, "b", { on2: { ask: () => "here" } })];
  const [mesh, other] = [await a.joinMesh("lobby"), await b.joinMesh("lobby")];
  await until(mesh, () => mesh.members.length === 1);
  const left = new Promise((resolve) => mesh.on("member-left", ({ reason }) => resolve(reason)));

  await server.program.kill();
  await startServer(server.port);
  assert.equal(await left, "disconnected");
  for (const one of [mesh, other]) await until(one, () => one.isMember && one.members.length === 1);

  assert.deepEqual(await mesh.broadcast2("ask"), [{ member: "b", value: "here" }]);
});

test("programs and Rust clients of a room talk directly, each with each, after an upgrade of one", async () => {
  const server = await startServer();
  const direct = { paths: "prefer-direct", PeerConnection: RTCPeerConnection as ConnectSettings["PeerConnection"] } as const;
  const meshes: Mesh[] = [];
  for (const id of ["a", "b", "c"]) {
    const one = await client(server.url, id, { ...direct, on2: { ask: () => id } } as Partial<ConnectSettings>);
    meshes.push(await one.joinMesh("lobby", { autoUpgrade: false }));
  }
  for (const mesh of meshes) await until(mesh, () => mesh.members.length === 2);
  assert.deepEqual(meshes.flatMap(({ members }) => members.map(({ path }) => path)), Array(6).fill("relay"));

  meshes[0]?.upgrade();
  meshes[1]?.upgrade();
  for (const id of ["rust-1", "rust-2"]) (await RustPeer.start(server.url, id)).obey({ cmd: "join", room: "lobby" });
  for (const mesh of meshes) {
    await until(mesh, () => mesh.members.length === 4 && mesh.members.every(({ path }) => path === "direct"));
  }

  for (const mesh of meshes) {
    const replies = await mesh.with({ path: "direct", reply: "all" }).broadcast2("ask", 1);
    assert.deepEqual(replies.map(({ value, error }) => value?.path ?? error), Array(4).fill("direct"));
  }
});
