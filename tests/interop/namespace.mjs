// Opens the namespace /p2p as socket.io-client 2.5 does, with the id in the query of the namespace, and prints
// `connected` or the refusal.
//
//   node namespace.mjs http://127.0.0.1:9000

import io from 'socket.io-client-2';

const socket = io(`${process.argv[2]}/p2p?clientId=A`, { transports: ['websocket'], reconnection: false });
const end = (text) => {
  process.stdout.write(text);
  socket.removeAllListeners();
  socket.close();
};
socket.on('connect', () => end('connected'));
for (const event of ['error', 'connect_error', 'disconnect']) {
  socket.on(event, (error) => end(String(error?.message ?? error)));
}
