// The reference: socket.io 4.8.4 with its defaults and `allowEIO3`, and the least of a relay on it that a v1 client
// needs. What a stock client sees of it is what the server below the plugin is compared with: see README.md.
//
//   node reference.mjs --port 0     prints `listening on URL`, ends politely on SIGTERM

import { createServer } from 'node:http';
import { parseArgs } from 'node:util';
import { Server } from 'socket.io';

const { values: options } = parseArgs({ options: { port: { type: 'string', default: '0' } } });
const http = createServer();
const io = new Server(http, { allowEIO3: true });

// The clients, and the partner of each that is paired, by their ids.
const clients = new Map();
const partners = new Map();

function serve(socket) {
  const id = socket.handshake.auth.clientId ?? socket.handshake.query.clientId;
  clients.set(id, socket);
  const partner = () => clients.get(partners.get(id));

  socket.on('LIST_CLIENTS', (answer) => answer?.([...clients.keys()]));
  socket.on('P2P_REGISTER', (target, answer) => {
    clients.get(target)?.emit('P2P_REGISTER', id, (accepted) => {
      if (accepted) partners.set(id, target).set(target, id);
      answer(accepted);
    });
  });
  socket.on('P2P_EMIT', ({ event, args }) => partner()?.emit(event, ...args));
  socket.on('P2P_EMIT_ACKNOWLEDGE', ({ event, args }, answer) => {
    partner()?.emit(event, ...args, answer);
  });
  socket.on('disconnect', () => {
    // A newcomer with the same id may be there already.
    if (clients.get(id) !== socket) return;
    partner()?.emit('P2P_DISCONNECT');
    partners.delete(partners.get(id));
    partners.delete(id);
    clients.delete(id);
  });
}

io.on('connection', serve);
io.of('/p2p').on('connection', serve);
process.on('SIGTERM', () => io.close());
http.listen(Number(options.port), '127.0.0.1', () => {
  process.stdout.write(`listening on http://127.0.0.1:${http.address().port}\n`);
});
