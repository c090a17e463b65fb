// Connects, disconnects and connects again with the same id, as a page under React's strict mode does or one that
// is reloaded. Prints one line of JSON: the number of rounds, and the refusals by their text.
//
//   node strict-mode.mjs --url http://127.0.0.1:9000 --id A [--client 1|2|3|4] [--transport websocket|polling|upgrade]
//     [--rounds 60]

import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';

const { values: options } = parseArgs({
  options: {
    url: { type: 'string' },
    id: { type: 'string' },
    client: { type: 'string', default: '4' },
    transport: { type: 'string', default: 'websocket' },
    rounds: { type: 'string', default: '60' },
  },
});
const rounds = Number(options.rounds);
// socket.io-client 1.7.4 makes the key of a websocket from the milliseconds of the clock. One with a key that is still in
// use is closed, and the client tries again.
const triesAgain = options.client === '1';
const { default: io } = await import(`socket.io-client-${options.client}`);

function connecting() {
  return io(`${options.url}?clientId=${options.id}`, {
    transports: options.transport === 'upgrade' ? ['polling', 'websocket'] : [options.transport],
    forceNew: true,
    reconnection: triesAgain,
    reconnectionDelay: 10,
  });
}

function outcome(socket) {
  return new Promise((resolve) => {
    socket.on('connect', () => resolve('connected'));
    // A refusal is `connect_error` in 3.x and 4.x, and `error` in 1.x and 2.x. A connection that ends is told before it stands as well.
    socket.on('disconnect', (reason) => resolve(`disconnected: ${reason}`));
    for (const event of ['connect_error', 'error']) {
      socket.on(event, (error) => {
        const text = error?.message ?? String(error);
        if (!triesAgain || text !== 'websocket error') resolve(text);
      });
    }
  });
}

const refusals = {};
for (let round = 0; round < rounds; round += 1) {
  const first = connecting();
  if (round % 2) await outcome(first);
  await pause(round % 4 ? round % 40 : 0);
  first.disconnect();

  const second = connecting();
  const result = await outcome(second);
  if (result !== 'connected') refusals[result] = (refusals[result] ?? 0) + 1;
  second.disconnect();
}
process.stdout.write(`${JSON.stringify({ rounds, refusals })}\n`);
