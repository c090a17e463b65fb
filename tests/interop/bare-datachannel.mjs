// Connections of node-datachannel with its own API, driven by lines of JSON: those of bare-orders.mjs, after
// {"event":"ready","version":…}.
//
//   node bare-datachannel.mjs

import { createInterface } from 'node:readline';
import { PeerConnection } from 'node-datachannel';
import { version } from './versions.mjs';

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const failed = (error) => say({ event: 'error', message: error.message });

let peer, main;
let channels = new Map();
// A channel that is collected is closed.
const kept = [];

function send(channel, message) {
  if (typeof message === 'string') channel.sendMessage(message);
  else channel.sendMessageBinary(Buffer.from(message));
}

const content = (message) => (message.$bin === undefined ? message : Buffer.from(message.$bin, 'base64'));

function begin(channel, then) {
  kept.push(channel);
  main = channel;
  channels.set('main', channel);
  channel.onMessage((message) => send(channel, message));
  channel.onClosed(() => say({ event: 'close' }));
  whenOpen(channel, () => {
    say({ event: 'connect' });
    if (then) obey(then);
  });
}

function beginFurther(channel) {
  kept.push(channel);
  const label = channel.getLabel();
  channels.set(label, channel);
  channel.onMessage((message) => send(channel, message));
  channel.onClosed(() => say({ event: 'closed', label }));
  whenOpen(channel, () => say({ event: 'opened', label, options: { protocol: channel.getProtocol() } }));
}

function whenOpen(channel, then) {
  if (channel.isOpen()) then();
  else channel.onOpen(then);
}

const config = ({ ordered, ...options } = {}) => ({ ...options, unordered: ordered === false });

function connect({ connect: role, first, channels: further = [], then }) {
  const connection = new PeerConnection(role, { iceServers: [] });
  kept.push(connection);
  peer = connection;
  channels = new Map();
  connection.onLocalDescription((sdp, type) => say({ signal: { type, sdp } }));
  connection.onLocalCandidate((candidate, sdpMid) => {
    if (connection !== peer) return;
    say({ signal: { type: 'candidate', candidate: { candidate, sdpMid } } });
  });
  connection.onStateChange((state) => {
    if (connection === peer) say({ event: 'state', state });
  });
  let isFirst = role !== 'offer';
  connection.onDataChannel((channel) => {
    if (isFirst) begin(channel, then);
    else beginFurther(channel);
    isFirst = false;
  });
  if (role !== 'offer') return;
  begin(connection.createDataChannel('main', config(first)), then);
  for (const label of further) beginFurther(connection.createDataChannel(label));
}

function short(label) {
  const channel = peer.createDataChannel(label);
  kept.push(channel);
  whenOpen(channel, () => {
    channel.sendMessage(label);
    channel.close();
  });
}

function obey(order) {
  if (order.connect) connect(order);
  if (order.signal?.sdp) {
    peer.setRemoteDescription(order.signal.sdp, order.signal.type);
    if (order.signal.type === 'answer') say({ event: 'answered' });
  } else if (order.signal) {
    const { candidate, sdpMid } = order.signal.candidate;
    peer.addRemoteCandidate(candidate, sdpMid);
  }
  if (order.open) beginFurther(peer.createDataChannel(order.open, config(order.options)));
  if (order.send !== undefined) send(channels.get(order.on ?? 'main'), content(order.send));
  if (order.sendAndClose) {
    main.sendMessage(order.sendAndClose);
    main.close();
  }
  if (order.sendAndEnd) {
    main.sendMessage(order.sendAndEnd);
    peer.close();
  }
  if (order.short) short(order.short);
  if (order.closeChannel) channels.get(order.closeChannel).close();
  if (order.offerAgain) peer.setLocalDescription('offer');
  if (order.close) peer.close();
}

say({ event: 'ready', version: version('node-datachannel') });
for await (const line of createInterface({ input: process.stdin })) {
  try {
    obey(JSON.parse(line));
  } catch (error) {
    failed(error);
  }
}
process.exit();
