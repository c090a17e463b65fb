// A client that speaks v1 by hand through a stock, unchanged socket.io-client: what a page of the
// JavaScript predecessor does on the wire. It is driven by the same JSON lines as the example `peer`.
//
//   node v1-peer.mjs --url http://127.0.0.1:9000 --id A [--client 1|2|3|4] [--transport websocket|polling|upgrade]
//     [--answer ack|event|decline|decline-event|silent|held] [--reply echo|none|several|JSON] [--free at-once|held]
//     [--on chat,note] [--retries]
//
// Beyond the lines of the example:
// - bytes are {"$bin":"<base64>"}, both ways;
// - `--reply several` acknowledges with the arguments as they came, `--reply '[1,null]'` with these;
// - `reply` also has `values`, all arguments of the acknowledgement: [] is not [null];
// - `refused` and `error` carry the text of SERVER_ERROR, and the code that stands at its end;
// - emit2 takes "targetClientId", for a target that is not the partner;
// - {"cmd":"raw","id":1,"args":["P2P_REGISTER","B"],"ack":true} emits anything, answered by `raw`;
// - {"cmd":"block","ms":9000} keeps the whole process busy, as a page does that computes;
// - {"cmd":"drop"} loses the transport, as a network does; the stock client then reconnects;
// - with `--retries`, everything is sent again if it is not acknowledged within 1 s, three times;
// - with `--answer held`, a registration is accepted only by {"cmd":"accept"}; {"cmd":"answer","with":"silent"}
//   changes the answer from now on;
// - with `--free held`, P2P_UNREGISTER is acknowledged only after {"cmd":"free"};
// - {"cmd":"burst","id":1,"count":3000,"bytes":200,"answer":0,"ack":true} emits so many `burst` events in one
//   loop, with a filler of so many bytes. With `ack`, `burst` says how many of them were answered rightly once
//   all were answered; each answer has a filler of `answer` bytes;
// - `bursted` says, with the last event of a burst, how many came and whether they came in order;
// - `disconnected`, `unregister-asked` and `register-asked` say what the stock client was told.

import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { printable, revived } from './bytes.mjs';

const { values: options } = parseArgs({
  options: {
    url: { type: 'string' },
    id: { type: 'string' },
    client: { type: 'string', default: '4' },
    transport: { type: 'string', default: 'websocket' },
    answer: { type: 'string', default: 'ack' },
    reply: { type: 'string', default: 'echo' },
    free: { type: 'string', default: 'at-once' },
    on: { type: 'string', default: 'chat,note' },
    retries: { type: 'boolean', default: false },
  },
});
requireOneOf('client', ['1', '2', '3', '4']);
requireOneOf('transport', ['websocket', 'polling', 'upgrade']);
requireOneOf('answer', ['ack', 'event', 'decline', 'decline-event', 'silent', 'held']);
const fixedReply = options.reply.startsWith('[') ? revived(JSON.parse(options.reply)) : null;
if (fixedReply === null) requireOneOf('reply', ['echo', 'none', 'several']);
requireOneOf('free', ['at-once', 'held']);

const print = (line) => process.stdout.write(`${JSON.stringify(printable(line))}\n`);

const { default: io } = await import(`socket.io-client-${options.client}`);
const socket = io(`${options.url}?clientId=${encodeURIComponent(options.id)}`, {
  // What a stock client does unless told otherwise is to begin with polling and upgrade.
  transports: options.transport === 'upgrade' ? ['polling', 'websocket'] : [options.transport],
  reconnectionDelay: 50,
  reconnectionDelayMax: 200,
  randomizationFactor: 0,
  ...(options.retries ? { retries: 3, ackTimeout: 1_000 } : {}),
});

// With retries, an acknowledgement says first that there is none.
const heard = (answer) => (error, ...values) => {
  if (!options.retries) return answer(error, ...values);
  if (error) return print({ event: 'error', code: 'no-acknowledgement', message: error.message });
  return answer(...values);
};

// What a v1 client knows: its partner, and the last SERVER_ERROR.
let partner = null;
let unregistering = false;
let lastError = null;
let free = null;
let held = null;

// The server says that it is connected a moment before others can ask for it; it answers when they can.
socket.on('connect', () => {
  socket.emit('LIST_CLIENTS', heard(() => print({ event: 'connected', clientId: options.id })));
});
socket.on('disconnect', (reason) => print({ event: 'disconnected', reason }));
// A refusal is `connect_error` in 3.x and 4.x, and `error` in 1.x and 2.x; failures of the transport come there too.
socket.on('connect_error', refusal);
socket.on('error', refusal);

socket.on('SERVER_ERROR', (message) => {
  lastError = { code: /\(([a-z-]+)\)$/.exec(message)?.[1] ?? 'server-error', message };
  print({ event: 'error', ...lastError });
});

socket.on('P2P_REGISTER', (source, acknowledge) => {
  print({ event: 'register-asked', source, withAck: typeof acknowledge === 'function' });
  held = () => {
    partner = source;
    acknowledge(true);
    print({ event: 'paired', partner });
  };
  const accepted = partner === null && ['ack', 'event'].includes(options.answer);
  if (accepted) partner = source;
  switch (options.answer) {
    case 'silent':
    case 'held':
      return;
    case 'ack':
    case 'decline':
      acknowledge(accepted);
      break;
    default:
      socket.emit(accepted ? 'P2P_REGISTER_SUCCESS' : 'P2P_REGISTER_FAILED');
  }
  if (accepted) print({ event: 'paired', partner });
});

socket.on('P2P_UNREGISTER', (acknowledge) => {
  print({ event: 'unregister-asked', withAck: typeof acknowledge === 'function' });
  free = () => {
    free = null;
    acknowledge?.();
    // The initiator gets this event too; it is free when its own request is answered.
    if (!unregistering) unpaired('unregistered');
  };
  if (options.free === 'at-once' || unregistering) free();
});

// A client without a partner may get it too: from a server that was just started.
socket.on('P2P_DISCONNECT', () => partner !== null && unpaired('disconnected'));

for (const name of options.on.split(',').filter(Boolean)) {
  socket.on(name, (...args) => {
    const acknowledge = typeof args.at(-1) === 'function' ? args.pop() : null;
    print({ event: 'incoming', from: partner, name, args });
    if (options.reply === 'echo') acknowledge?.({ echo: args });
    if (options.reply === 'several') acknowledge?.(...args);
    if (fixedReply) acknowledge?.(...fixedReply);
  });
}

let arrived = 0;
let inOrder = true;
socket.on('burst', (n, last, filler, answer, acknowledge) => {
  inOrder &&= n === arrived;
  arrived += 1;
  acknowledge?.(n, 'y'.repeat(answer));
  if (n !== last) return;
  print({ event: 'bursted', arrived, inOrder });
  [arrived, inOrder] = [0, true];
});

const commands = {
  burst({ id, count, bytes = 0, answer = 0, ack = false, event = 'burst' }) {
    const filler = 'x'.repeat(bytes);
    let [answered, right] = [0, 0];
    for (let n = 0; n < count; n += 1) {
      const emit = { targetClientId: partner, event, args: [n, count - 1, filler, answer] };
      if (!ack) {
        socket.emit('P2P_EMIT', emit);
        continue;
      }
      socket.emit('P2P_EMIT_ACKNOWLEDGE', emit, (value, text) => {
        answered += 1;
        if (value === n && text?.length === answer) right += 1;
        if (answered === count) print({ event: 'burst', id, right });
      });
    }
  },
  register({ target }) {
    lastError = null;
    socket.emit('P2P_REGISTER', target, heard((accepted) => {
      if (accepted === true) {
        partner = target;
        print({ event: 'paired', partner });
      } else {
        // Without a SERVER_ERROR before it, the answer alone does not say why.
        const { code = 'none', message } = lastError ?? {};
        print({ event: 'refused', target, code, message, answer: accepted });
      }
    }));
  },
  emit2({ id, event, args = [], ack = false, timeoutMs, targetClientId = partner }) {
    const emit = { targetClientId, event, args: revived(args) };
    if (!ack) {
      socket.emit('P2P_EMIT', emit);
      print({ event: 'sent', id });
      return;
    }
    let done = false;
    const once = (line) => {
      clearTimeout(timer);
      if (!done) print(line);
      done = true;
    };
    const expired = () => once({ event: 'failed', id, outcome: 'unknown', code: 'timeout' });
    const timer = timeoutMs === undefined ? undefined : setTimeout(expired, timeoutMs).unref();
    socket.emit('P2P_EMIT_ACKNOWLEDGE', emit, (...values) => {
      once({ event: 'reply', id, value: values[0], values, route: 'relay' });
    });
  },
  unregister() {
    unregistering = true;
    socket.emit('P2P_UNREGISTER', (...args) => {
      unregistering = false;
      unpaired('unregistered', { args });
    });
  },
  list() {
    socket.emit('LIST_CLIENTS', heard((clients) => print({ event: 'clients', clients })));
  },
  raw({ id, args, ack }) {
    if (ack) socket.emit(...revived(args), (...values) => print({ event: 'raw', id, values }));
    else socket.emit(...revived(args));
  },
  block({ ms }) {
    // Nothing else runs meanwhile, and the processor is left to the others.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
    print({ event: 'blocked' });
  },
  accept: () => held?.(),
  answer({ with: answer }) {
    options.answer = answer;
  },
  free: () => free?.(),
  drop: () => socket.io.engine.close(),
  quit: () => lines.close(),
};

const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => {
  try {
    const command = JSON.parse(line);
    if (!Object.hasOwn(commands, command.cmd)) throw new Error(`no such command: ${command.cmd}`);
    commands[command.cmd](command);
  } catch (error) {
    print({ event: 'error', code: 'bad-command', message: error.message });
  }
});
// stdin may end without `quit`, when whoever drives this is gone.
lines.on('close', () => {
  socket.off('disconnect');
  socket.close();
});

function unpaired(reason, more = {}) {
  partner = null;
  print({ event: 'unpaired', reason, ...more });
}

function refusal(error) {
  // 1.x and 2.x hand over what the server sent, 3.x and 4.x an Error; a lost transport has a `type`.
  const message = error?.message ?? String(error);
  const code = error?.type === 'TransportError' ? 'transport' : message;
  print({ event: 'error', code, message });
}

function requireOneOf(name, allowed) {
  if (allowed.includes(options[name])) return;
  process.stderr.write(`--${name} is one of ${allowed.join(', ')}\n`);
  process.exit(2);
}
