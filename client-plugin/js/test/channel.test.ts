// Raw channels: credit, how they end, messages in pieces. The rules are those of protocol/tests/channel_credit.rs and
// channel_pieces.rs.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  CHANNEL_FAREWELL,
  CHANNEL_MESSAGE_BYTES,
  CHANNEL_OVERHEAD,
  CHANNEL_PARTS,
  CHANNEL_PIECE_BYTES,
  CHANNEL_QUEUE_TIME,
  CHANNEL_QUIET,
  CHANNEL_UNREAD_BYTES,
  CHANNEL_WINDOW,
  CHANNEL_WINDOW_MIN,
  CHANNELS,
  CHANNELS_IN_ALL,
} from "../src/limits.js";
import { admit, carriageOf, Channel, chosenCarriage, isCounted, Pieces, pieces, TimelyWindow } from "../src/peer/channel.js";
import { SUFFIXES, type Carriage } from "../src/peer/channel/carriage.js";

const LONG = CHANNEL_MESSAGE_BYTES;
const RTT = 10_000;
const counted = () => new Channel(CHANNEL_WINDOW, false);
const uncounted = () => new Channel(0, false);

/** Receives so many long messages. Returns what became of the last. */
function receive(channel: Channel, messages: number, inAll = 0) {
  let arrival;
  for (let at = 0; at < messages; at++) arrival = channel.received(false, LONG, inAll, 0);
  return arrival;
}

test("ends count if both state a window of 16 KiB at least", () => {
  assert.deepEqual([0, CHANNEL_WINDOW_MIN - 1, CHANNEL_WINDOW_MIN].map(isCounted), [false, false, true]);
});

test("a message costs its length and 128 bytes, and the last one may exceed the window", () => {
  const channel = new Channel(CHANNEL_WINDOW_MIN, false);

  assert.equal(channel.spend(CHANNEL_WINDOW_MIN - CHANNEL_OVERHEAD - 1), undefined);
  assert.equal(channel.spend(LONG), undefined);
  assert.equal(channel.spend(0), "full");
});

test("an empty binary message gives back a quarter of the window", () => {
  const channel = new Channel(CHANNEL_WINDOW_MIN, false);
  channel.spend(CHANNEL_WINDOW_MIN);
  assert.equal(channel.spend(0), "full");

  assert.equal(channel.received(false, 0, 0, 0), "credit");

  assert.equal(channel.spend(0), undefined);
});

test("an end that has read a quarter of its window gives it back", () => {
  const channel = counted();
  receive(channel, 2);
  assert.equal(channel.pollOutput(), undefined);

  assert.equal(channel.read(LONG), true);

  assert.equal(channel.pollOutput(), "grant");
  assert.equal(channel.pollOutput(), undefined);
});

test("a message that was not sent costs nothing", () => {
  const channel = new Channel(CHANNEL_WINDOW_MIN, false);
  channel.spend(LONG);
  channel.refund(LONG);
  assert.equal(channel.spend(LONG), undefined);
});

test("an empty text says that its sender leaves, and the receiver closes the channel", () => {
  const channel = counted();

  assert.equal(channel.received(true, 0, 0, 5), "partner-left");

  assert.equal(channel.end, "partner");
  assert.equal(channel.spend(1), "closed");
  assert.equal(channel.pollTimeout(7, RTT), 7);
  channel.handle({ kind: "timeout", roundTrip: RTT }, 7);
  assert.equal(channel.pollOutput(), "close");
  channel.handle({ kind: "closed" }, 7);
  assert.equal(channel.pollOutput(), undefined);
});

test("an end that leaves announces it, sends nothing more, and closes the channel after 5 s", () => {
  const channel = counted();

  channel.handle({ kind: "leave", reason: "here" }, 0);

  assert.equal(channel.spend(1), "closed");
  assert.equal(channel.pollOutput(), "leave");
  channel.handle({ kind: "sent-leave" }, 3);
  assert.equal(channel.pollOutput(), undefined);
  assert.equal(channel.pollTimeout(3, RTT), 3 + CHANNEL_FAREWELL);
  channel.handle({ kind: "timeout", roundTrip: RTT }, 2 + CHANNEL_FAREWELL);
  assert.equal(channel.pollOutput(), undefined);
  channel.handle({ kind: "timeout", roundTrip: RTT }, 3 + CHANNEL_FAREWELL);
  assert.equal(channel.pollOutput(), "close");
  channel.handle({ kind: "ended", seen: "connection" }, 9);
  assert.equal(channel.end, "here");
});

test("a partner that does not count sees no empty message, and its channel is closed once nothing comes", () => {
  const channel = uncounted();
  assert.equal(channel.received(true, 0, 0, 100), "kept");

  channel.handle({ kind: "leave", reason: "here" }, 101);

  assert.equal(channel.pollOutput(), undefined);
  assert.equal(channel.pollTimeout(101, RTT), 100 + CHANNEL_QUIET + 2 * RTT);
});

test("of a partner that does not count 8 MiB are kept, then the channel is closed", () => {
  const channel = uncounted();
  const most = Math.floor(CHANNEL_UNREAD_BYTES / (LONG + CHANNEL_OVERHEAD));

  assert.equal(receive(channel, most), "kept");
  assert.equal(receive(channel, 1), "overflowed");

  assert.equal(channel.end, "unread");
  assert.equal(channel.unread, 0);
  assert.equal(receive(channel, 1), "lost");
});

test("beyond what all channels may hold, one that holds more than its share is closed", () => {
  const inAll = CHANNELS * (CHANNEL_WINDOW + LONG + CHANNEL_OVERHEAD);
  const channel = uncounted();
  assert.equal(receive(channel, 4, inAll), "kept");
  assert.equal(receive(channel, 1, inAll), "overflowed");
});

test("a channel that may lose messages is not counted, and loses what does not fit", () => {
  const channel = new Channel(CHANNEL_WINDOW, true);
  assert.equal(receive(channel, 4), "kept");
  assert.equal(receive(channel, 1), "lost");
  assert.equal(channel.end, undefined);
  for (let at = 0; at < 9; at++) assert.equal(channel.spend(LONG), undefined);
});

test("nothing is kept of a channel that was dropped, and its control messages still count", () => {
  const channel = counted();
  receive(channel, 2);
  channel.handle({ kind: "abandoned" }, 0);
  assert.equal(channel.unread, 0);
  assert.equal(receive(channel, 1), "lost");
  assert.equal(channel.received(true, 0, 0, 0), "partner-left");
});

test("a connection that is lost ends its channels as such", () => {
  const channel = counted();
  channel.handle({ kind: "ended", seen: "connection" }, 0);
  assert.equal(channel.end, "connection");
  assert.equal(channel.pollTimeout(0, RTT), undefined);
});

test("a connection has 64 channels, and a partner that opens them by the hundred is left", () => {
  assert.equal(admit(CHANNELS - 1, CHANNELS), "taken");
  assert.equal(admit(CHANNELS, CHANNELS), "refused");
  assert.equal(admit(0, CHANNELS_IN_ALL), "overrun");
});

const cut = (number: number, length: number, fill = 7) => [
  ...pieces(number, { isText: false, bytes: new Uint8Array(length).fill(fill) }),
];
const take = (collector: Pieces, all: Iterable<Uint8Array>) =>
  [...all].flatMap((piece) => collector.received(piece)?.bytes.length ?? []);

test("a message of any length arrives from its pieces, in any order", () => {
  for (const length of [0, 1, CHANNEL_PIECE_BYTES, CHANNEL_PIECE_BYTES + 1, LONG]) {
    assert.deepEqual(take(new Pieces(false), cut(1, length).reverse()), [length]);
  }
  const text = [...pieces(0, { isText: true, bytes: Uint8Array.of(104, 105) })];
  assert.deepEqual(text, [Uint8Array.of(0, 0, 0, 0, 0, 0, 128, 0, 104, 105)]);
  assert.equal(new Pieces(false).received(text[0] as Uint8Array)?.isText, true);
});

test("a message that was overtaken is lost only if the channel keeps the order", () => {
  for (const inOrder of [false, true]) {
    const collector = new Pieces(inOrder);
    const [first, ...rest] = cut(1, 2000);
    assert.deepEqual(take(collector, [first as Uint8Array, ...cut(2, 5)]), [5]);
    assert.deepEqual(take(collector, rest), inOrder ? [] : [2000]);
  }
});

test("of messages that are not complete the oldest gives way", () => {
  const collector = new Pieces(false);
  const messages = Array.from({ length: CHANNEL_PARTS + 1 }, (_, at) => cut(at, 2000));
  for (const [first] of messages) collector.received(first as Uint8Array);
  const lengths = messages.map(([, last]) => collector.received(last as Uint8Array)?.bytes.length);
  assert.deepEqual(lengths, [undefined, ...Array.from({ length: CHANNEL_PARTS }, () => 2000)]);
});

test("numbers wrap around", () => {
  const collector = new Pieces(true);
  assert.deepEqual(take(collector, [...cut(2 ** 32 - 1, 1), ...cut(0, 2), ...cut(2 ** 32 - 1, 3)]), [1, 2]);
});

test("what cannot be a piece is ignored", () => {
  const collector = new Pieces(false);
  const [piece] = cut(1, 1) as [Uint8Array];
  const changed = (at: number, value: number) => piece.map((byte, index) => (index === at ? value : byte));
  const wrong = [new Uint8Array(7), new Uint8Array(9 + CHANNEL_PIECE_BYTES), changed(5, 1), changed(6, 127)];
  assert.deepEqual(take(collector, wrong), []);
});

test("the end of a channel's protocol tells its carriage", () => {
  for (const carriage of Object.keys(SUFFIXES) as Carriage[]) {
    assert.equal(carriageOf(`of-the-application${SUFFIXES[carriage]}`), carriage);
  }
  assert.equal(chosenCarriage(false, false, true, true), "reliable");
  assert.equal(chosenCarriage(true, false, false, true), "pieces");
  assert.equal(chosenCarriage(true, false, true, true), "pieces-in-order");
  assert.equal(chosenCarriage(true, true, true, true), "lossy");
  assert.equal(chosenCarriage(true, false, true, false), "lossy");
});

test("a transport that stands takes no more than a few pieces, and one that keeps up takes more", () => {
  const few = 4 * CHANNEL_PIECE_BYTES;
  const timely = new TimelyWindow();
  timely.handedOver(100_000, 0);

  assert.equal(timely.room(100_000, RTT, RTT + CHANNEL_QUEUE_TIME), few);
  assert.equal(timely.room(100_000, RTT, RTT + CHANNEL_QUEUE_TIME + 1), 0);
  assert.equal(timely.room(few - 10, RTT, RTT + CHANNEL_QUEUE_TIME + 1), 10);
  assert.equal(timely.room(0, RTT, 10 * RTT + CHANNEL_QUEUE_TIME), few);
});
