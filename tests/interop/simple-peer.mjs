// simple-peer on @roamhq/wrtc, driven by lines of JSON: what it receives, it sends back.
//
//   node simple-peer.mjs offer|answer [--media]
//   in:  {"signal":…}  {"send":"text"}  {"close":true}
//   out: {"signal":…}  {"event":"connect"|"close"}  {"event":"error","message":…}

import readline from 'node:readline'
import Peer from 'simple-peer'
import wrtc from '@roamhq/wrtc'

const say = (line) => process.stdout.write(JSON.stringify(line) + '\n')

const peer = new Peer({
  initiator: process.argv[2] === 'offer',
  wrtc,
  objectMode: true, // keeps texts as texts
  config: { iceServers: [] }
})
if (process.argv[3] === '--media') {
  peer.addTransceiver('audio')
}

peer.on('signal', (signal) => say({ signal }))
peer.on('connect', () => say({ event: 'connect' }))
peer.on('data', (data) => peer.send(data))
peer.on('error', (error) => say({ event: 'error', message: error.message }))
peer.on('close', () => {
  say({ event: 'close' })
  setTimeout(() => process.exit(), 100)
})

for await (const line of readline.createInterface({ input: process.stdin })) {
  const order = JSON.parse(line)
  if (order.signal) peer.signal(order.signal)
  if (order.send) peer.send(order.send)
  if (order.close) peer.destroy()
}
process.exit()
