// RTCPeerConnections that obey orders, one after another, and send back what they receive.
//
//   orders: {"connect":"offer"|"answer"}   begin a connection, with the channel "main" if it offers
//           {"signal":…}                   in the shapes of simple-peer
//           {"send":"text"}  {"send":{"$bin":"base64"}}    on the main channel
//           {"sendAndClose":"text"}        on the main channel, which is closed at once
//           {"sendAndEnd":"text"}          on the main channel; the connection is closed at once
//           {"short":"text"}               open a channel of that name, send the name on it, close it at once
//           {"close":true}                 close the connection
//   said:   {"signal":…}  {"event":"connect"}  {"event":"close"}  {"event":"error","message":…}
//
// It also travels into pages, as text: it uses nothing but its arguments and what Node and pages share.
export function startBare(RTCPeerConnection, say) {
  let peer, main;

  const failed = (error) => say({ event: 'error', message: error.message });
  const bytes = (base64) => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));

  function begin(channel) {
    main = channel;
    channel.binaryType = 'arraybuffer';
    channel.onmessage = ({ data }) => channel.send(data);
    channel.onclose = () => say({ event: 'close' });
    whenOpen(channel, () => say({ event: 'connect' }));
  }

  // A later channel of libwebrtc may be open at once, without an event.
  function whenOpen(channel, then) {
    if (channel.readyState === 'open') then();
    else channel.onopen = then;
  }

  async function connect(role) {
    const connection = new RTCPeerConnection({ iceServers: [] });
    peer = connection;
    connection.onicecandidate = ({ candidate }) => {
      if (connection !== peer || !candidate?.candidate) return;
      const { candidate: line, sdpMid, sdpMLineIndex } = candidate;
      say({ signal: { type: 'candidate', candidate: { candidate: line, sdpMid, sdpMLineIndex } } });
    };
    if (role === 'offer') {
      begin(connection.createDataChannel('main'));
      await describe('offer');
    } else {
      connection.ondatachannel = ({ channel }) => begin(channel);
    }
  }

  async function describe(type) {
    const description = type === 'offer' ? await peer.createOffer() : await peer.createAnswer();
    const { sdp } = description;
    say({ signal: { type, sdp } });
    await peer.setLocalDescription({ type, sdp });
  }

  async function signal({ type, sdp, candidate }) {
    if (!sdp) return peer.addIceCandidate(candidate);
    await peer.setRemoteDescription({ type, sdp });
    if (type === 'offer') await describe('answer');
  }

  function short(label) {
    const channel = peer.createDataChannel(label);
    whenOpen(channel, () => {
      channel.send(label);
      channel.close();
    });
  }

  // One after another: a candidate waits for its description.
  let orders = Promise.resolve();
  return (order) => {
    orders = orders.then(async () => {
      if (order.connect) await connect(order.connect);
      if (order.signal) await signal(order.signal);
      if (order.send) main.send(order.send.$bin ? bytes(order.send.$bin) : order.send);
      if (order.sendAndClose) {
        main.send(order.sendAndClose);
        main.close();
      }
      if (order.sendAndEnd) {
        main.send(order.sendAndEnd);
        peer.close();
      }
      if (order.short) short(order.short);
      if (order.close) peer.close();
    }).catch(failed);
  };
}
