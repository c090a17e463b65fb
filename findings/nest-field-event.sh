#!/usr/bin/env bash
# A handler of NestJS (@nestjs/websockets and @nestjs/platform-socket.io 12.1.1) whose result has a field `event` never answers its client,
# but emits an event of the name that the field has.
#
# Expected: what a handler returns is the answer to a client that asked with a callback; the form `{ event, data }` is for those that did
# not. Seen: the field alone decides. A ticket `{ event: "Concert", seat: 5 }` goes to the client as an event called Concert without
# arguments, the seat is lost, and the client's callback, which every other object reaches, waits for ever. So it is with a row of a table
# that has a column of that name. Inside a list or another object the field means nothing. A result that is null or undefined, such as "no such user", answers nothing either, while 0, false and "" are answers; and
# `emit("put", 1, 2)` gives a handler the same as `emit("put", [1, 2])`.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent @nestjs/core@12.5.1 @nestjs/common@12.5.1 @nestjs/websockets@12.1.1 \
    @nestjs/platform-socket.io@12.1.1 @nestjs/platform-express@12.5.1 reflect-metadata@0.2.2 rxjs@7.8.2 socket.io-client@4.8.4
cat >run.mjs <<'JS'
import "reflect-metadata";
import { Module } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { SubscribeMessage, WebSocketGateway } from "@nestjs/websockets";
import { io } from "socket.io-client";

const answers = {
  seat: () => ({ name: "Concert", seat: 5 }),
  ticket: () => ({ event: "Concert", seat: 5 }),
  tickets: () => [{ event: "Concert", seat: 5 }],
  found: () => ({ ticket: { event: "Concert", seat: 5 } }),
  nobody: () => null,
  nothing: () => {},
  zero: () => 0,
  no: () => false,
  put: (_, given) => given,
};

// What the decorators of TypeScript do.
class Gateway {}
for (const [name, answer] of Object.entries(answers)) {
  Gateway.prototype[name] = answer;
  SubscribeMessage(name)(Gateway.prototype, name, { value: answer });
}
WebSocketGateway()(Gateway);
class Application {}
Module({ providers: [Gateway] })(Application);

setTimeout(() => { console.log("nothing in 120 s"); process.exit(1); }, 120_000);
const application = await NestFactory.create(Application, { logger: false });
await application.listen(0, "127.0.0.1");
const client = io(`http://127.0.0.1:${application.getHttpServer().address().port}`);
let events = [];
client.onAny((...event) => events.push(event));
const ask = async (name, ...args) => {
  events = [];
  // Answers of later questions come after those of earlier ones.
  const answer = await Promise.race([
    client.emitWithAck(name, ...args).then((value) => JSON.stringify(value)),
    client.emitWithAck("zero").then(() => new Promise((done) => setTimeout(done, 1000, "no answer"))),
  ]);
  const shown = args.map((arg) => JSON.stringify(arg)).join(", ");
  console.log(`${name}(${shown}): ${answer}, events: ${JSON.stringify(events)}`);
};
await ask("seat");
await ask("ticket");
await ask("tickets");
await ask("found");
await ask("nobody");
await ask("nothing");
await ask("zero");
await ask("no");
await ask("put", 1, 2);
await ask("put", [1, 2]);
process.exit();
JS
cat >expected <<'TEXT'
seat(): {"name":"Concert","seat":5}, events: []
ticket(): no answer, events: [["Concert",null]]
tickets(): [{"event":"Concert","seat":5}], events: []
found(): {"ticket":{"event":"Concert","seat":5}}, events: []
nobody(): no answer, events: []
nothing(): no answer, events: []
zero(): 0, events: []
no(): false, events: []
put(1, 2): [1,2], events: []
put([1,2]): [1,2], events: []
TEXT
node run.mjs | tee seen
diff expected seen && echo "as described: @nestjs/websockets 12.1.1, Node $(node --version)"
