// One simple-peer that obeys orders, and sends back what it receives.
//
//   orders: {"signal":…}  {"send":"text"}  {"send":{"$bin":"base64"}}  {"close":true}
//           {"sendAndEnd":"text"}    it is destroyed at once
//   said:   {"signal":…}  {"event":"connect"|"close"}  {"event":"error","message":…}
//
// It also travels into pages, as text: it uses nothing but its arguments and what Node and pages share.
export function startPeer(Peer, { role, media, wrtc, then }, say) {
  const peer = new Peer({
    initiator: role === 'offer',
    wrtc,
    objectMode: true, // keeps texts as texts
    config: { iceServers: [] },
  });
  if (media) peer.addTransceiver('audio');

  peer.on('signal', (signal) => say({ signal }));
  peer.on('connect', () => {
    say({ event: 'connect' });
    if (then) obey(then);
  });
  peer.on('data', (data) => peer.send(data));
  peer.on('error', (error) => say({ event: 'error', message: error.message }));
  peer.on('close', () => say({ event: 'close' }));

  const bytes = (base64) => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const obey = ({ signal, send, sendAndEnd, close }) => {
    if (signal) peer.signal(signal);
    if (send) peer.send(send.$bin ? bytes(send.$bin) : send);
    if (sendAndEnd) peer.send(sendAndEnd);
    if (close || sendAndEnd) peer.destroy();
  };
  return obey;
}
