// Stock, unchanged socket.io-clients that speak v1 in pairs, several in one process, for `soak stock`.
//
//   node clients.mjs <folder with the npm packages> <kind>
//
// The first line of stdin is {"url":…,"seed":…,"delayMs":50,"delayMaxMs":1000,"clients":[{"number":3,"transport":
// "polling"},…]}. Client n has the id `stock-n` and the partner n ^ 1; the odd one asks. Then commands, one a line:
//   {"talk":{"rate":25,"burst":8,"largest":65536}}  calls a second of each client, from now on; a rate of 0 ends them
//   "mark"                                          from now on the first right answer of each client is `well`
//   "count"                                         what is under way, then `counted`
// Each line of stdout is a list of records: see `ledger.rs`. A call is [epoch, number, length of the answer, filler],
// where an epoch is a pairing as its caller counts them, and calls are numbered from 0 in each.

import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const AGAIN_MS = 2_100; // The server takes five registrations in ten seconds.
const TURN_MS = 20;
const IN_FLIGHT = 16;
const ANSWERED = ['offline', 'source-busy', 'target-busy', 'declined', 'timeout', 'cancelled'];

const [folder, kind] = process.argv.slice(2);
const io = createRequire(pathToFileURL(`${folder}/package.json`))(`socket.io-client-${kind}`);

let records = [];
let talk = { rate: 0, burst: 1, largest: 0 };
let marked = Infinity; // The time of the mark.
const clients = [];

class Client {
  constructor({ number, transport }, { url, delayMs, delayMaxMs }) {
    Object.assign(this, { number, connection: 0, epoch: 0, made: 0, budget: 0, right: 0, well: true });
    this.partner = null; // As a stock application believes: until the server says otherwise.
    this.asking = false;
    this.open = new Set();
    this.socket = io(`${url}?clientId=stock-${number}`, {
      transports: transport === 'upgrade' ? ['polling', 'websocket'] : [transport],
      reconnectionDelay: delayMs,
      reconnectionDelayMax: delayMaxMs,
      forceNew: true,
    });
    this.socket.on('connect', () => this.connected());
    this.socket.on('disconnect', (reason) => this.disconnected(reason));
    this.socket.on('connect_error', (error) => this.refused(error));
    this.socket.on('error', (error) => this.refused(error));
    this.socket.on('P2P_REGISTER', (source, answer) => this.asked(source, answer));
    this.socket.on('P2P_DISCONNECT', () => this.unpaired());
    this.socket.on('P2P_UNREGISTER', (answer) => {
      this.unpaired();
      answer();
    });
    this.socket.on('SERVER_ERROR', (text) => this.told(text));
    this.socket.on('call', (...call) => this.ran(call));
  }

  connected() {
    this.connection += 1;
    note('up', this.number);
    this.ask();
  }

  disconnected(reason) {
    note('down', this.number, this.connection, String(reason));
    this.asking = false;
    // Nobody answers these any more: a stock client's own business.
    if (this.open.size > 0) note('given_up', this.open.size);
    this.open.clear();
    // No stock client comes back by itself after that.
    if (reason !== 'io server disconnect') return;
    note('sent_away', this.number, this.connection);
    this.comeBack();
  }

  // A refusal of the server; what the network does comes here too, and is tried again by the client.
  refused(error) {
    const text = error?.message ?? String(error);
    if (/^(TransportError|timeout)$/.test(error?.type ?? text) || /^(xhr|websocket) .*error$/.test(text)) return;
    note('refused', this.number, text);
    this.comeBack();
  }

  // Refusals of registrations come as answers too.
  told(text) {
    const code = /\(([a-z-]+)\)$/.exec(text)?.[1];
    if (!ANSWERED.includes(code)) note('complained', this.number, this.epoch, text);
  }

  comeBack() {
    setTimeout(() => this.socket.connect(), AGAIN_MS);
  }

  ask() {
    if (this.number % 2 === 0 || this.partner !== null || this.asking || !this.socket.connected) return;
    this.asking = true;
    const { connection } = this;
    this.socket.emit('P2P_REGISTER', partnerOf(this.number), (accepted) => {
      if (connection !== this.connection) return;
      this.asking = false;
      if (accepted === true) this.paired();
      else setTimeout(() => this.ask(), AGAIN_MS);
    });
  }

  asked(source, answer) {
    const accepted = this.partner === null && source === partnerOf(this.number);
    if (accepted) this.paired();
    answer(accepted);
  }

  paired() {
    this.partner = partnerOf(this.number);
    this.epoch += 1;
    this.made = 0;
    note('paired', this.number, this.connection, this.epoch);
  }

  unpaired() {
    if (this.partner === null) return;
    this.partner = null;
    note('unpaired', this.number, this.epoch);
    setTimeout(() => this.ask(), 100);
  }

  ran([epoch, number, length, text, answer]) {
    // Records of calls that follow each other are one.
    const last = records.at(-1)?.ran;
    const follows = last?.[0] === this.number && last[1] === this.connection && last[2] === epoch;
    if (follows && last[4] + 1 === number) last[4] = number;
    else note('ran', this.number, this.connection, epoch, number, number);
    if (text !== filler(number, text.length)) note('strange', this.number, `${epoch}.${number} came changed`);
    answer?.(`${this.number}:${epoch}:${number}`, filler(number, length));
  }

  // Makes the calls of a turn.
  turn(seconds) {
    const { rate, burst } = talk;
    if (rate === 0 || this.partner === null || !this.socket.connected) return;
    // What the network held up is not made up for.
    this.budget = Math.min(this.budget + 2 * random() * rate * seconds, 2 * burst);
    let calls = Math.ceil(random() * burst);
    if (this.budget < calls) return;
    this.budget -= calls;
    for (; calls > 0 && this.open.size < IN_FLIGHT; calls -= 1) this.call();
  }

  call() {
    const [epoch, number] = [this.epoch, this.made];
    this.made += 1;
    const [length, answerLength] = [size(), size()];
    const emit = { targetClientId: this.partner, event: 'call' };
    emit.args = [epoch, number, answerLength, filler(number, length)];
    if (random() < 0.2) {
      this.socket.emit('P2P_EMIT', emit);
      return;
    }
    const call = { epoch, number, connection: this.connection, since: performance.now() };
    this.open.add(call);
    this.socket.emit('P2P_EMIT_ACKNOWLEDGE', emit, (value, text) => {
      // An answer after the end of its connection, or a second one.
      if (!this.open.delete(call)) return;
      const failure = value?.error?.code;
      if (failure !== undefined) return note('failed', this.number, epoch, number, failure);
      const isRight = value === `${this.number ^ 1}:${epoch}:${number}` && text === filler(number, answerLength);
      if (!isRight) return note('wrong', this.number, epoch, number, String(value));
      this.right += 1;
      if (call.since >= marked && !this.well) {
        this.well = true;
        note('well', this.number);
      }
    });
  }

  count() {
    this.flush();
    const now = performance.now();
    const calls = [...this.open].map((call) => [call.epoch, call.number, call.connection, (now - call.since) / 1000]);
    note('rest', this.number, this.connection, this.epoch, this.made, calls);
  }

  flush() {
    if (this.right > 0) note('right', this.right);
    this.right = 0;
  }
}

const partnerOf = (number) => `stock-${number ^ 1}`;
const filler = (number, length) => `${number}.`.repeat(Math.ceil(length / 2)).slice(0, length);

// Mostly small, sometimes large.
function size() {
  const kindOfSize = random();
  const most = kindOfSize < 0.01 ? talk.largest : kindOfSize < 0.1 ? talk.largest / 8 : 100;
  return Math.floor(random() * most);
}

function note(name, ...fields) {
  records.push({ [name]: fields.length === 1 ? fields[0] : fields });
}

function print() {
  for (const client of clients) client.flush();
  if (records.length > 0) process.stdout.write(`${JSON.stringify(records)}\n`);
  records = [];
}

// Mulberry32.
let state = 0;
function random() {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}

function obey(command) {
  if (command.clients) {
    state = command.seed | 0;
    for (const client of command.clients) clients.push(new Client(client, command));
  } else if (command.talk) {
    talk = command.talk;
  } else if (command === 'mark') {
    marked = performance.now(); // A call made before does not count.
    for (const client of clients) client.well = false;
  } else if (command === 'count') {
    for (const client of clients) client.count();
    records.push('counted');
    print();
  }
}

let before = performance.now();
const turns = setInterval(() => {
  const now = performance.now();
  for (const client of clients) client.turn((now - before) / 1000);
  before = now;
  print();
}, TURN_MS);

const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => obey(JSON.parse(line)));
lines.on('close', () => {
  clearInterval(turns);
  process.exit();
});
