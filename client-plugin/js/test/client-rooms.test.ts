// A client in rooms: a peer for each member, with a session of its own. A port of protocol/tests/client_rooms.rs.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Args } from "../src/args.js";
import type { Answer, Input, Output, RoomEvent } from "../src/client/interface.js";
import { refusal, type EndReason } from "../src/error.js";
import { CONFIRM_TIMEOUT, REASSERT_INTERVAL, WINDOW_FRAMES } from "../src/limits.js";
import type { ServerMessage } from "../src/wire/control/server.js";
import type { Frame, Result } from "../src/wire/frame.js";
import { signalValue } from "../src/wire/signal.js";
import { id, LOBBY, member, PATIENCE, ScriptedClient, state, welcome } from "./scripted-client.js";

function ready(): ScriptedClient {
  const client = new ScriptedClient();
  client.hear({ kind: "welcome", welcome: welcome() });
  client.outputs();
  return client;
}

/** A client in a room with these members. */
function joined(...serials: number[]): ScriptedClient {
  const client = ready();
  client.hear({ kind: "joined", req: client.join(), state: state(...serials) });
  assert.deepEqual(client.answers(), [[1, { kind: "joined", state: state(...serials) }]]);
  return client;
}

const reply = (seq: number, to: number, result: Result): Frame => ({ seq, ack: to, got: to, body: { t: "reply", to, result } });

const refuse = (code: string, req: number): ServerMessage => ({ kind: "error", refusal: refusal(code), req, pairing: undefined });

const outcome = (outcome: "not-executed" | "unknown", cause: { code: string } | { ended: EndReason }): Answer => ({
  kind: "outcome",
  outcome: { outcome, cause },
});

test("each member has a session of its own", () => {
  const client = joined(1, 2);

  client.emit(10, 1);
  client.emit(20, 2);
  assert.deepEqual(client.sent(), [[id(1), 1], [id(2), 1]]);
  client.frames(2, [reply(1, 1, Args.of(["two"]))]);

  const [[call, answer] = []] = client.answers();
  assert.ok(answer?.kind === "outcome" && answer.outcome.outcome === "replied");
  assert.deepEqual([call, answer.outcome.args.values(), answer.outcome.path], [20, ["two"], "relay"]);
  client.frames(1, [reply(1, 1, refusal("unhandled"))]);
  assert.deepEqual(client.answers(), [[10, outcome("not-executed", { code: "unhandled" })]]);
});

test("a member whose window is full holds up no other", () => {
  const client = joined(1, 2);

  for (let call = 0; call < WINDOW_FRAMES; call++) client.feedEmit(100 + call, 1);
  client.poll();

  assert.deepEqual([client.core.takesEmits(id(1)), client.core.takesEmits(id(2))], [false, true]);
  client.hear({ kind: "registered", req: undefined, pairing: member(7) });
  assert.ok(client.core.takesEmits(id(7)), "nor the exclusive pairing");
});

test("a member is not the partner of the exclusive pairing", () => {
  const client = joined(1);
  assert.equal(client.core.pairing(), undefined);

  client.hear({ kind: "registered", req: undefined, pairing: member(7) });

  assert.deepEqual(client.core.pairing(), member(7));
  assert.deepEqual(client.core.rooms?.members(LOBBY), [member(1)]);
  client.hear({ kind: "registered", req: undefined, pairing: member(8) });
  assert.deepEqual(client.core.pairing(), member(8), "one replaces the other");
  assert.deepEqual(client.core.rooms?.members(LOBBY), [member(1)], "and no member");
});

test("members come, are away and go", () => {
  const client = joined(1);

  client.hear({ kind: "member", room: LOBBY, pairing: member(2) });
  assert.deepEqual(client.events(), [{ kind: "member-joined", room: LOBBY, pairing: member(2) }]);
  client.hear({ kind: "partner", pairing: id(2), state: "away" });
  assert.deepEqual(client.events(), [{ kind: "member", room: LOBBY, member: "m2", state: "away" }]);
  client.hear({ kind: "disconnect", pairing: id(2), reason: "unregistered", req: undefined });
  assert.deepEqual(client.events(), [{ kind: "member-left", room: LOBBY, pairing: member(2), reason: "unregistered" }]);
  client.emit(5, 2);

  assert.deepEqual(client.answers(), [[5, outcome("not-executed", { code: "not-paired" })]]);
});

test("a refusal answers the call, and who was no member does not ask again", () => {
  const client = ready();
  const req = client.join();

  client.hear(refuse("quota", req));
  assert.deepEqual(client.answers(), [[1, { kind: "refused", refusal: refusal("quota") }]]);
  client.pass(10 * REASSERT_INTERVAL);

  assert.deepEqual(client.asked(), { joins: [], exits: [] });
});

test("a call that is no longer awaited takes its request back", () => {
  for (const isGivenUp of [true, false]) {
    const client = ready();
    const req = client.join();

    if (isGivenUp) client.handle({ kind: "command", command: { kind: "cancel", call: 1 } });
    else client.pass(PATIENCE);

    const outputs = client.outputs();
    const answers = outputs.flatMap((output) => (output.kind === "answered" ? [output.answer.kind] : []));
    assert.deepEqual(answers, isGivenUp ? [] : ["timed-out"]);
    assert.equal(outputs.filter((output) => output.kind === "send" && output.message.kind === "exit").length, 1);
    client.hear({ kind: "joined", req, state: state(1) });
    assert.equal(client.core.rooms?.members(LOBBY), undefined, "it came too late");
  }
});

test("after a lost connection each session goes on", () => {
  const client = joined(1, 2);
  client.emit(10, 1);
  client.outputs();

  client.back(true, state(1, 3));

  assert.deepEqual(client.sent(), [[id(1), 1]], "the window is sent again");
  const members = client.core.rooms?.members(LOBBY);
  assert.deepEqual(members, [member(1), member(3)], "one has left meanwhile, one has come");
});

test("a member that left meanwhile ends its calls", () => {
  const client = joined(1);
  client.emit(10, 1);
  client.outputs();

  client.back(true, state());

  assert.deepEqual(client.answers(), [[10, outcome("unknown", { ended: "disconnected" })]]);
  assert.deepEqual(client.core.rooms?.members(LOBBY), []);
});

test("a room that a welcome does not list is over, and one that it lists and the client has left is left again", () => {
  const client = joined(1);

  client.back(true, { room: "other", members: [member(9)] });

  const outputs = client.outputs();
  const events = outputs.flatMap((output) => (output.kind === "event" && "room" in output.event ? [output.event] : []));
  const left: RoomEvent = { kind: "member-left", room: LOBBY, pairing: member(1), reason: "disconnected" };
  assert.deepEqual(events, [left, { kind: "exited", room: LOBBY, reason: "kicked" }]);
  const said = outputs.flatMap((output) => (output.kind === "send" ? [output.message] : []));
  assert.deepEqual(said.map((message) => [message.kind, "room" in message && message.room]), [["exit", "other"]]);
});

test("a server that has forgotten the room is asked again until it refuses for good", () => {
  const client = joined(1);

  client.back(false);
  const outputs = client.outputs();
  assert.ok(outputs.some((output) => output.kind === "event" && output.event.kind === "member-left"));
  const joins = outputs.flatMap((output) => (output.kind === "send" && output.message.kind === "join" ? [output.message.req] : []));
  assert.equal(joins.length, 1);
  assert.ok(!outputs.some((output) => output.kind === "send" && output.message.kind === "exit"));
  client.hear(refuse("quota", joins[0] ?? 0));
  client.pass(REASSERT_INTERVAL);
  const again = client.asked().joins;
  assert.equal(again.length, 1, "there may be a place later");
  client.hear(refuse("forbidden", again[0] ?? 0));

  assert.deepEqual(client.events(), [{ kind: "not-joined", room: LOBBY, refusal: refusal("forbidden") }]);
  client.pass(10 * REASSERT_INTERVAL);
  assert.deepEqual(client.asked().joins, []);
});

test("a membership that was not answered is left before another begins", () => {
  const client = ready();
  client.join();

  // Others may have sent to the pairing that this client was not told of.
  client.back(true, state(1));

  const said = client.said().map(({ kind }) => kind);
  assert.deepEqual(said.filter((kind) => kind === "exit" || kind === "join"), ["exit", "join"]);
  assert.equal(client.core.rooms?.members(LOBBY), undefined);
});

test("a room is left once everything is confirmed", () => {
  const client = joined(1);
  client.emit(10, 1);

  client.exit(2);
  assert.deepEqual(client.asked().exits, [], "m1 has not confirmed");
  client.frames(1, [reply(1, 1, Args.of([]))]);

  const outputs = client.outputs();
  assert.equal(outputs.filter((output) => output.kind === "send" && output.message.kind === "exit").length, 1);
  assert.ok(outputs.some((output) => output.kind === "answered" && output.call === 2 && output.answer.kind === "exited"));
  const events = outputs.flatMap((output) => (output.kind === "event" ? [output.event] : []));
  assert.deepEqual(events.at(-1), { kind: "exited", room: LOBBY, reason: "unregistered" });
});

test("a member that does not confirm does not hold up the end for long", () => {
  const client = joined(1);
  client.emit(10, 1);
  client.exit(2);
  client.outputs();

  client.pass(CONFIRM_TIMEOUT);

  assert.deepEqual(client.answers(), [[10, outcome("unknown", { ended: "unregistered" })], [2, { kind: "exited" }]]);
});

test("a client that is removed from a room is not a member any more", () => {
  const client = joined(1);

  client.hear({ kind: "exited", req: undefined, room: LOBBY, reason: "kicked" });

  const left: RoomEvent = { kind: "member-left", room: LOBBY, pairing: member(1), reason: "kicked" };
  assert.deepEqual(client.events(), [left, { kind: "exited", room: LOBBY, reason: "kicked" }]);
  assert.equal(client.core.rooms?.members(LOBBY), undefined);
});

test("a refusal of frames that is final makes the client leave the room", () => {
  const client = joined(1, 2);
  client.emit(10, 1);
  client.outputs();

  client.hear({ kind: "error", refusal: refusal("forbidden"), req: undefined, pairing: id(1) });

  assert.equal(client.asked().exits.length, 1);
  assert.equal(client.core.rooms?.members(LOBBY), undefined);
});

test("a direct path waits until either side asks for it", () => {
  const links = (outputs: Output[]) => outputs.filter(({ kind }) => kind === "link").length;
  const waiting = (initiator: boolean) => {
    const client = ready();
    const req = client.join(1, { upgrades: false });
    client.hear({ kind: "joined", req, state: { room: LOBBY, members: [member(1, { direct: true, initiator })] } });
    return client;
  };
  const upgrade: Input = { kind: "command", command: { kind: "upgrade", room: LOBBY } };

  const initiator = waiting(true);
  assert.equal(links(initiator.outputs()), 0);
  initiator.handle(upgrade);
  assert.equal(links(initiator.outputs()), 1);

  // Its partner asks the initiator, which begins.
  const partner = waiting(false);
  partner.handle(upgrade);
  const asked = waiting(true);
  for (const output of partner.outputs()) {
    if (output.kind === "signal") asked.handle({ kind: "signalled", pairing: output.pairing, signal: signalValue(output.signal) });
  }
  assert.equal(links(asked.outputs()), 1);
});

test("a closed client answers every call", () => {
  const client = ready();
  client.join();
  client.handle({ kind: "command", command: { kind: "close" } });
  client.pass(CONFIRM_TIMEOUT);
  assert.deepEqual(client.answers(), [[1, { kind: "closed" }]]);

  const never = new ScriptedClient();
  never.handle({ kind: "command", command: { kind: "join", call: 3, room: LOBBY, upgrades: true, deadline: PATIENCE } });
  assert.deepEqual(never.answers(), [[3, { kind: "closed" }]]);
});

test("pairings are in the order of their numbers, however they were listed", () => {
  const client = ready();
  client.hear({ kind: "joined", req: client.join(), state: state(0x10, 2, 0xa) });

  assert.deepEqual([...client.core.peers.keys()], ["1-2", "1-a", "1-10"]);
});
