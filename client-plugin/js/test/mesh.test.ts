// Rooms as the application uses them, between clients of this process.

import assert from "node:assert/strict";
import { test } from "node:test";

import type { ConnectSettings, EmitError, Mesh, MeshClient, MeshEvent } from "../src/mesh.js";
import { FakePeerConnection } from "./fake-peer-connection.js";
import { FakeServer, rejection } from "./fake-server.js";

const DIRECT = { paths: "prefer-direct", PeerConnection: FakePeerConnection } as const;

const ids = (mesh: Mesh): string[] => mesh.members.map(({ id }) => id);

/** Waits until a mesh is as it should be. It is looked at after each of its events. */
async function until(mesh: Mesh, is: () => boolean): Promise<void> {
  if (is()) return;
  for await (const _ of mesh.events()) if (is()) return;
  throw new Error("the mesh is over");
}

/** Waits for an event of a mesh. */
const event = <Type extends MeshEvent["type"]>(mesh: Mesh, type: Type): Promise<MeshEvent & { type: Type }> =>
  new Promise((resolve) => mesh.on(type, (event) => resolve(event as MeshEvent & { type: Type })));

/** Connects clients, and has them join a room one after another. */
async function meshOf(
  names: string[],
  settings: Partial<ConnectSettings> = {},
  options = {},
): Promise<{ server: FakeServer; clients: MeshClient[]; meshes: Mesh[] }> {
  const server = new FakeServer();
  const [clients, meshes]: [MeshClient[], Mesh[]] = [[], []];
  for (const name of names) {
    const client = await server.connect(name, settings);
    clients.push(client);
    meshes.push(await client.joinMesh("lobby", options));
  }
  for (const mesh of meshes) await until(mesh, () => mesh.members.length === names.length - 1);
  return { server, clients, meshes };
}

const first = <T>(all: T[]): T => all[0] as T;

test("members emit to each other, and handlers are told the room", async () => {
  const { clients, meshes } = await meshOf(["a", "b", "c"]);
  for (const [at, client] of clients.entries()) {
    client.on2("who", function (text: string) {
      return [at, text, this.source, this.room];
    });
  }

  const replies = await first(meshes).broadcast2("who", "hi");
  const one = await first(meshes).emit2To("c", "who", "you");

  assert.deepEqual(ids(first(meshes)), ["b", "c"]);
  const value = (at: number) => [at, "hi", "a", "lobby"];
  assert.deepEqual(replies, [{ member: "b", value: value(1) }, { member: "c", value: value(2) }]);
  assert.deepEqual(one, [2, "you", "a", "lobby"]);
});

test("a broadcast tells the outcome of each member", async () => {
  const { clients, meshes } = await meshOf(["a", "b", "c", "d"]);
  clients[1]?.on2("do", () => "done");
  clients[2]?.on2("do", () => {
    throw new Error("no paper");
  });

  const replies = await first(meshes).broadcast2<string>("do");

  const shown = replies.map(({ member, value, error }) => [member, value ?? error?.code, error?.executed]);
  assert.deepEqual(shown, [["b", "done", undefined], ["c", "handler-failed", true], ["d", "unhandled", false]]);
  const nobody: EmitError = await rejection(() => first(meshes).emit2To("z", "do"));
  assert.deepEqual([nobody.code, nobody.executed], ["not-paired", false]);
});

test("answers are yielded as they come, and those of a loop that was left are given up", async () => {
  const { clients, meshes } = await meshOf(["a", "b", "c", "d"]);
  let release = () => {};
  let isAborted = new Promise<void>(() => {});
  clients[1]?.on2("ask", () => new Promise<string>((resolve) => (release = () => resolve("late"))));
  clients[2]?.on2("ask", () => "soon");
  clients[3]?.on2("ask", function () {
    isAborted = new Promise((resolve) => this.signal.addEventListener("abort", () => resolve()));
    return new Promise(() => {});
  });
  const came: unknown[] = [];

  for await (const { member, value } of first(meshes).requestMany("ask")) {
    came.push([member, value]);
    if (member === "c") release();
    if (member === "b") break;
  }
  await isAborted;

  assert.deepEqual(came, [["c", "soon"], ["b", "late"]]);
  const none = first(meshes).with({ timeout: 0 }).requestMany("ask");
  const codes = [];
  for await (const { error } of none) codes.push(error?.code);
  assert.deepEqual(codes, ["timeout", "timeout", "timeout"]);
});

test("options are those of an emit, and what cannot be meant is refused", async () => {
  const { clients, meshes } = await meshOf(["a", "b"]);
  clients[1]?.on2("echo", (text: string) => text);
  const mesh = first(meshes);

  const all = await mesh.with({ reply: "all" }).broadcast2("echo", "x");
  assert.deepEqual(all, [{ member: "b", value: { args: ["x"], path: "relay" } }]);
  assert.equal(await mesh.with({ reply: false }).emit2To("b", "echo", "x"), undefined);
  const [direct] = await mesh.with({ path: "direct" }).broadcast2("echo", "x");
  assert.equal(direct?.error?.code, "no-route");

  const [client] = clients as [MeshClient];
  const codes = [
    await rejection(() => client.joinMesh("")),
    await rejection(() => client.joinMesh("x", { maxPeers: 0 })),
    await rejection(() => client.joinMesh("x", { autoUpgrade: 1 as never })),
    await rejection(() => client.joinMesh("x", { peers: 3 } as never)),
    await rejection(() => mesh.on("joined-up" as never, () => {})),
    await rejection(() => mesh.with({ timeout: -1 }).emit2To("b", "echo")),
  ].map(({ code }) => code);
  assert.deepEqual(codes, Array(6).fill("bad-args"));
});

test("a room is bounded, and the exclusive pairing stands beside it", async () => {
  const { server, clients } = await meshOf(["a", "b"]);
  const [a, b] = clients as [MeshClient, MeshClient];
  const c = await server.connect("c");
  b.on2("where", function () {
    return this.room ?? "alone";
  });

  const full = await rejection(() => c.joinMesh("lobby", { maxPeers: 2 }));
  await a.register("b");
  const again = await a.joinMesh("lobby");

  assert.deepEqual([full.code, full.isRetryable], ["quota", true]);
  assert.deepEqual([await a.emit2("where"), await again.emit2To("b", "where")], ["alone", "lobby"]);
  await a.unregister();
  assert.deepEqual([a.pairing, await again.emit2To("b", "where")], [undefined, "lobby"]);
  await again.leave();
  assert.deepEqual([again.isMember, again.members], [false, []]);
});

test("members come, are removed and leave, with an event each", async () => {
  const { server, clients, meshes } = await meshOf(["a", "b"]);
  const [mesh, other] = meshes as [Mesh, Mesh];
  const events: unknown[] = [];
  const done = (async () => {
    for await (const event of mesh.events()) {
      if (event.type === "lagged") continue;
      events.push([event.type, "member" in event ? event.member : undefined, "reason" in event ? event.reason : undefined]);
    }
  })();

  const c = await server.connect("c");
  const third = await c.joinMesh("lobby");
  await until(mesh, () => mesh.members.length === 2);
  await third.leave();
  await until(mesh, () => mesh.members.length === 1);
  const kicked = event(other, "exited");
  server.kick("b", "lobby");
  assert.equal((await kicked).reason, "kicked");
  await until(mesh, () => !mesh.members.length);
  await mesh.leave();
  await done;

  assert.deepEqual(events, [
    ["member-joined", "c", undefined],
    ["member-left", "c", "unregistered"],
    ["member-left", "b", "kicked"],
    ["exited", undefined, "unregistered"],
  ]);
  assert.deepEqual([other.isMember, mesh.isMember], [false, false]);
  const anew = await first(clients).joinMesh("lobby");
  assert.notEqual(anew, mesh);
  await mesh.leave(); // It is over: the new one stands.
  assert.ok(anew.isMember);
});

test("after a restart of the server the clients join again by themselves", async () => {
  const { server, clients, meshes } = await meshOf(["a", "b"]);
  clients[1]?.on2("ask", () => "here");
  const left = event(first(meshes), "member-left");

  server.restart();
  assert.equal((await left).reason, "disconnected");
  for (const mesh of meshes) await until(mesh, () => mesh.isMember && mesh.members.length === 1);

  assert.deepEqual(await first(meshes).broadcast2("ask"), [{ member: "b", value: "here" }]);
});

test("all members have direct paths to each other, and what they emit takes them", async () => {
  const { clients, meshes } = await meshOf(["a", "b", "c", "d"], DIRECT);
  for (const client of clients) client.on2("ping", () => "pong");
  for (const mesh of meshes) await until(mesh, () => mesh.members.every(({ path }) => path === "direct"));

  for (const mesh of meshes) {
    const replies = await mesh.with({ path: "direct", reply: "all" }).broadcast2("ping");
    assert.deepEqual(replies.map(({ value, error }) => value?.path ?? error), ["direct", "direct", "direct"]);
  }
  await first(meshes).leave();
  for (const mesh of meshes.slice(1)) await until(mesh, () => mesh.members.length === 2);
  const [, ...others] = meshes;
  const replies = await first(others).with({ path: "direct" }).broadcast2("ping");
  assert.deepEqual(replies.map(({ value }) => value), ["pong", "pong"]);
});

test("direct paths wait for an upgrade of either side, and nothing is lost or overtakes meanwhile", async () => {
  const { server, clients, meshes } = await meshOf(["a", "b"], DIRECT, { autoUpgrade: false });
  const [mesh, other] = meshes as [Mesh, Mesh];
  const arrived: number[] = [];
  clients[1]?.on2("n", (n: number) => void arrived.push(n));
  for (let n = 0; n < 10; n++) await mesh.emit2To("b", "n", n);
  assert.deepEqual([mesh.members[0]?.path, other.members[0]?.path], ["relay", "relay"]);
  const before = server.frames.length;

  mesh.upgrade();
  const path = event(mesh, "member-path");
  const emits = Array.from({ length: 500 }, (_, n) => mesh.emit2To("b", "n", 10 + n));
  await Promise.all([...emits, until(other, () => other.members[0]?.path === "direct")]);

  assert.deepEqual([(await path).member, (await path).path], ["b", "direct"]);
  assert.deepEqual(arrived, Array.from({ length: 510 }, (_, n) => n));
  assert.ok(server.frames.length > before, "the signals took the server");
});

test("channels are those of the exclusive pairing", async () => {
  const { clients, meshes } = await meshOf(["a", "b"], DIRECT);
  await until(first(meshes), () => first(meshes).members[0]?.path === "direct");

  const error = await rejection(() => first(clients).channel("x"));

  assert.equal(error.code, "no-route");
});

test("a client that closes leaves its rooms, and its meshes are over", async () => {
  const { clients, meshes } = await meshOf(["a", "b"]);
  const [mesh, other] = meshes as [Mesh, Mesh];
  const types: string[] = [];
  const over = (async () => {
    for await (const { type } of mesh.events()) types.push(type);
  })();

  await clients[0]?.close();
  await over;
  await until(other, () => !other.members.length);

  assert.deepEqual(types, ["member-left"]);
  assert.deepEqual(await mesh.broadcast2("x"), []);
  assert.equal((await rejection(() => clients[0]?.joinMesh("lobby"))).code, "closed");
});

test("a member whose window is full holds up no other", async () => {
  const { clients, meshes } = await meshOf(["a", "b", "c"]);
  clients[1]?.on2("hold", () => new Promise(() => {}));
  clients[2]?.on2("ask", () => "free");
  const stops = Array.from({ length: 600 }, () => new AbortController());
  const calls = stops.map(({ signal }) => rejection(() => first(meshes).with({ signal }).emit2To("b", "hold")));

  const replies = await first(meshes).emit2To("c", "ask");
  for (const stop of stops) stop.abort();

  assert.equal(replies, "free");
  assert.deepEqual(new Set((await Promise.all(calls)).map(({ code }) => code)), new Set(["cancelled"]));
});
