// The committed transcripts replay with the same outputs.

import assert from "node:assert/strict";
import { test } from "node:test";

import { replay } from "../src/transcript/replay.js";
import { transcript, transcripts } from "./repository.js";

const names = transcripts().sort();

test("there are transcripts of clients, and of both ends of a pairing", () => {
  assert.deepEqual(names, ["peer-initiator.jsonl", "peer-partner.jsonl", "restarted.jsonl", "resumed.jsonl"]);
});

for (const name of names) {
  test(`${name} replays`, () => {
    const text = transcript(name);

    assert.equal(replay(text), text.trimEnd().split("\n").length);
  });
}

test("a transcript that says something else is told from what the peer did", () => {
  const text = transcript("peer-initiator.jsonl");
  const offer = '{"attempt":1,"command":"offer","link":"1-1/1","out":"link"}\n';

  assert.ok(text.includes(offer));
  assert.throws(() => replay(text.replace(offer, offer.replace("1,", "3,"))), /^Error: line 2: /);
  assert.throws(() => replay(text.replace(offer, "")), /^Error: line 2: /);
  assert.throws(() => replay(text.replace(offer, offer + offer)), /^Error: line 3: /);
});
