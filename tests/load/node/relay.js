// Relays as socket.io-p2p-plugin does, written by hand on socket.io: clients by id, the target's
// consent, and every emit passed to whoever its sender names.
import { createServer } from "node:http";
import { Server } from "socket.io";

const http = createServer();
const io = new Server(http);
const clients = new Map();

io.on("connection", (socket) => {
  const id = socket.handshake.query.clientId;
  if (!id) return;
  clients.set(id, socket);
  let partner;

  socket.on("P2P_REGISTER", (targetId, answer) => {
    const target = clients.get(targetId);
    if (!target) return answer(false);
    target.emit("P2P_REGISTER", id, (accepted) => {
      if (accepted) partner = targetId;
      answer(accepted);
    });
  });
  socket.on("P2P_UNREGISTER", (answer) => {
    const target = clients.get(partner);
    partner = undefined;
    if (!target) return answer();
    target.emit("P2P_UNREGISTER", () => answer());
  });
  socket.on("P2P_EMIT", ({ targetClientId, event, args }) => {
    clients.get(targetClientId)?.emit(event, ...args);
  });
  socket.on("P2P_EMIT_ACKNOWLEDGE", ({ targetClientId, event, args }, answer) => {
    clients.get(targetClientId)?.emit(event, ...args, (...values) => answer(...values));
  });
  socket.on("disconnect", () => {
    clients.delete(id);
    if (partner) clients.get(partner)?.emit("P2P_DISCONNECT");
  });
});

http.listen(0, "127.0.0.1", () => console.log(`127.0.0.1:${http.address().port}`));
process.stdin.resume().on("end", () => process.exit(0));
