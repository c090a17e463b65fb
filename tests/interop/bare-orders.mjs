// RTCPeerConnections that obey orders, one after another, and send back what they receive.
//
//   orders: {"connect":"offer"|"answer"}   begin a connection, with the channel "main" if it offers;
//                                          "channels":[label,…] further ones, "first":{…} options of "main",
//                                          "media":true an audio section before the data, "bundle" their bundlePolicy,
//                                          "then":{…} an order that it obeys as soon as "main" is open
//           {"signal":…}                   in the shapes of simple-peer
//           {"open":"label","options":{…}} open a further channel
//           {"send":"text"}  {"send":{"$bin":"base64"}}    on the main channel, or "on":"label"
//           {"sendAndClose":"text"}        on the main channel, which is closed at once
//           {"sendAndEnd":"text"}          on the main channel; the connection is closed at once
//           {"short":"text"}               open a channel of that name, send the name on it, close it at once
//           {"closeChannel":"label"}       close a channel
//           {"offerAgain":true}            make a further offer; with "restart":true also restart ICE
//           {"close":true}                 close the connection
//   said:   {"signal":…}  {"event":"connect"}  {"event":"close"}  {"event":"error","message":…}
//           {"event":"opened","label":…,"options":{…}}  {"event":"closed","label":…}     other channels
//           {"event":"state","state":…}    of the connection
//
// The main channel is "main" of an offerer, and the first one that comes to an answerer.
//
// It also travels into pages, as text: it uses nothing but its arguments and what Node and pages share.
export function startBare(RTCPeerConnection, say) {
  let peer, main;
  let channels = new Map();

  const failed = (error) => say({ event: 'error', message: error.message });
  const bytes = (base64) => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const content = (message) => (message.$bin === undefined ? message : bytes(message.$bin));

  function begin(channel, then) {
    main = channel;
    channels.set('main', channel);
    channel.binaryType = 'arraybuffer';
    channel.onmessage = ({ data }) => channel.send(data);
    channel.onclose = () => say({ event: 'close' });
    whenOpen(channel, () => {
      say({ event: 'connect' });
      if (then) obey(then).catch(failed);
    });
  }

  function beginFurther(channel) {
    const { label } = channel;
    channels.set(label, channel);
    channel.binaryType = 'arraybuffer';
    channel.onmessage = ({ data }) => channel.send(data);
    channel.onclose = () => say({ event: 'closed', label });
    whenOpen(channel, () => {
      const { ordered, maxRetransmits, maxPacketLifeTime, protocol } = channel;
      say({ event: 'opened', label, options: { ordered, maxRetransmits, maxPacketLifeTime, protocol } });
    });
  }

  // A later channel of libwebrtc may be open at once, without an event.
  function whenOpen(channel, then) {
    if (channel.readyState === 'open') then();
    else channel.onopen = then;
  }

  async function connect({ connect: role, first, channels: further = [], media, bundle = 'balanced', then }) {
    peer?.close(); // A page of Chromium has 500 at most.
    const connection = new RTCPeerConnection({ iceServers: [], bundlePolicy: bundle });
    peer = connection;
    channels = new Map();
    connection.onicecandidate = ({ candidate }) => {
      if (connection !== peer) return;
      // The end: null, undefined or without a text.
      if (!candidate?.candidate) return say({ signal: { type: 'candidate', candidate } });
      const { candidate: line, sdpMid, sdpMLineIndex } = candidate;
      say({ signal: { type: 'candidate', candidate: { candidate: line, sdpMid, sdpMLineIndex } } });
    };
    connection.onconnectionstatechange = () => {
      if (connection === peer) say({ event: 'state', state: connection.connectionState });
    };
    let isFirst = role !== 'offer';
    connection.ondatachannel = ({ channel }) => {
      if (isFirst) begin(channel, then);
      else beginFurther(channel);
      isFirst = false;
    };
    if (role !== 'offer') return;
    if (media) connection.addTransceiver('audio');
    begin(connection.createDataChannel('main', first), then);
    for (const label of further) beginFurther(connection.createDataChannel(label));
    await describe('offer');
  }

  async function describe(type, options) {
    const description = type === 'offer' ? await peer.createOffer(options) : await peer.createAnswer();
    const { sdp } = description;
    say({ signal: { type, sdp } });
    await peer.setLocalDescription({ type, sdp });
  }

  async function signal({ type, sdp, candidate }) {
    if (peer.signalingState === 'closed') return;
    if (!sdp) return peer.addIceCandidate(candidate);
    await peer.setRemoteDescription({ type, sdp });
    if (type === 'offer') await describe('answer');
    else say({ event: 'answered' });
  }

  function short(label) {
    const channel = peer.createDataChannel(label);
    whenOpen(channel, () => {
      channel.send(label);
      channel.close();
    });
  }

  async function obey(order) {
    if (order.connect) await connect(order);
    if (order.signal) await signal(order.signal);
    if (order.open) beginFurther(peer.createDataChannel(order.open, order.options));
    if (order.send !== undefined) channels.get(order.on ?? 'main').send(content(order.send));
    if (order.sendAndClose) {
      main.send(order.sendAndClose);
      main.close();
    }
    if (order.sendAndEnd) {
      main.send(order.sendAndEnd);
      peer.close();
    }
    if (order.short) short(order.short);
    if (order.closeChannel) channels.get(order.closeChannel).close();
    if (order.offerAgain) await describe('offer', { iceRestart: Boolean(order.restart) });
    if (order.close) peer.close();
  }

  // One after another: a candidate waits for its description. What a connection was asked for when it was closed is never
  // done, so those of the next one do not wait for it.
  let orders = Promise.resolve();
  let connections = 0;
  return (order) => {
    if (order.connect) {
      connections += 1;
      orders = Promise.resolve();
    }
    const connection = connections;
    orders = orders.then(() => connection === connections && obey(order)).catch(failed);
  };
}
