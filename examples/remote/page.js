// The page of the example `remote`: controls the lamp, and shows its state as it is.
//
// A command is kept, in `sessionStorage` too, until the lamp has confirmed it. Whatever happens to a network, the server
// or this page, it is sent again until then, in order; by its number the lamp knows what it has obeyed already.

import { by, make, ownName, showPath } from '/common.js';
import { connect } from '/socketio-p2p.min.js';

/** The path can be chosen, to see what the relay alone does: `?paths=relay-only`. */
const paths = new URLSearchParams(location.search).get('paths') ?? 'prefer-direct';

const HUES = { Red: 0, Amber: 40, Green: 130, Blue: 215, Violet: 280 };

// ---- Commands that the lamp has not confirmed yet.

/** The name of this page and its commands, which a reload keeps. */
let outbox = JSON.parse(sessionStorage.getItem('outbox')) ?? newOutbox();

function newOutbox() {
  return { page: ownName('remote'), last: 0, commands: [] };
}

function keep() {
  sessionStorage.setItem('outbox', JSON.stringify(outbox));
  showState();
}

/** Adds a command, and sends what waits. */
function command(command) {
  const { commands } = outbox;
  const kind = kindOf(command);
  const before = commands.at(-1);
  // Of a slider that moves, only the newest value counts, unless the one before may be on its way.
  if (kind === 'brightness' && commands.length > 1 && kindOf(before.command) === kind) before.command = command;
  else commands.push({ number: ++outbox.last, command });
  keep();
  send();
}

const kindOf = (command) => (typeof command === 'string' ? command : Object.keys(command)[0]);

let isSending = false;

/** Sends the commands one after another, while there is a pairing. */
async function send() {
  if (isSending) return;
  isSending = true;
  while (outbox.commands.length && client?.pairing) {
    const [{ number, command }] = outbox.commands;
    try {
      const state = await client.with({ timeout: 60_000 }).emit2('do', outbox.page, number, command);
      outbox.commands.shift(); // It is done, whatever the answer is.
      keep();
      show(state);
    } catch (error) {
      // It ran and failed: it would fail again.
      if (error.executed) {
        outbox.commands.shift();
        keep();
      }
      // Otherwise it is sent again, once there is a pairing.
      else if (client.pairing) await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
  isSending = false;
}

// ---- What the page shows.

let lamp;
let client;
let partner = 'back'; // or `away`
let path;

/** Shows a state of the lamp. What is still on its way there stays as it was set. */
function show(state) {
  lamp = state;
  const waits = new Set(outbox.commands.map(({ command }) => kindOf(command)));
  const dial = by('dial');
  const light = `hsl(${lamp.hue} 95% 62%)`;
  dial.style.setProperty('--light', light);
  dial.style.setProperty('--strength', lamp.isOn ? 0.15 + (0.85 * lamp.brightness) / 100 : 0);
  // The shorter way round, also from 359° to 0°.
  const shown = parseFloat(dial.style.getPropertyValue('--angle')) || 0;
  dial.style.setProperty('--angle', `${shown + ((((lamp.angle - shown + 180) % 360) + 360) % 360) - 180}deg`);
  dial.setAttribute('aria-label', `The lamp is ${lamp.isOn ? 'on' : 'off'} and points at ${lamp.angle} degrees`);
  by('power').setAttribute('aria-pressed', lamp.isOn);
  by('power').textContent = lamp.isOn ? 'On' : 'Off';
  by('rings').textContent = lamp.rings;
  if (!waits.has('brightness')) by('brightness').value = lamp.brightness;
  by('percent').value = `${by('brightness').value} %`;
  if (!waits.has('hue')) for (const input of by('hues').querySelectorAll('input')) input.checked = Number(input.value) === lamp.hue;
  for (const button of document.querySelectorAll('[data-turn]')) {
    button.classList.toggle('is-on', Number(button.dataset.turn) === lamp.turns && lamp.turns !== 0);
  }
}

/** Shows the connection, and how many commands wait. */
function showState(text) {
  const isPaired = client?.pairing !== undefined;
  const isAway = !client?.isConnected;
  by('state').textContent =
    text ??
    (isPaired && partner === 'away'
      ? 'the lamp is away'
      : isAway
        ? path === 'direct' ? 'connected, the server is away' : 'the server is away'
        : isPaired ? 'connected' : 'looking for the lamp …');
  const reaches = isPaired && (path === 'direct' || (!isAway && partner !== 'away'));
  showPath(by('path'), reaches ? (path ?? 'relay') : isPaired || isAway ? 'away' : undefined);
  const count = outbox.commands.length;
  by('waiting').hidden = reaches || count === 0;
  by('waiting').textContent = count === 1 ? '1 command waits for the lamp' : `${count} commands wait for the lamp`;
}

// ---- Being connected and paired.

/** Pairs with the lamp, however long that takes, and sends what waits. */
async function pair() {
  partner = 'back';
  if (!client.pairing) {
    try {
      path = undefined;
      showState();
      await client.register('lamp', { retry: Infinity, waitInLine: 10 * 60_000 });
    } catch (error) {
      if (!client.isClosed && !client.pairing) showState(`the lamp cannot be had: ${error.message}`);
      return;
    }
  }
  await look();
}

/** Asks for the state. */
async function look() {
  showState();
  send();
  await client.emit2('look').then(show, () => {}); // It is asked for again when there is a path.
}

async function start() {
  const settings = {
    paths,
    survivesReload: true,
    retryConnect: 60_000,
    socket: { transports: ['websocket'] },
    on2: { state: show },
  };
  try {
    client = await connect(location.origin, { id: outbox.page, ...settings });
  } catch (error) {
    if (error.code !== 'duplicate-id') throw error;
    // This tab is the copy of another one.
    outbox = newOutbox();
    client = await connect(location.origin, { id: outbox.page, ...settings });
  }
  client.on('in-line', ({ place }) => showState(place ? `in line for the lamp: number ${place}` : undefined));
  client.on('path', (event) => ((path = event.path), showState()));
  client.on('partner', ({ state }) => ((partner = state), state === 'back' ? look() : showState()));
  client.on('away', () => showState());
  client.on('resumed', look);
  client.on('reasserted', look);
  client.on('restarted', () => showState());
  client.on('unpaired', pair);
  client.on('disconnected', () => showState('not connected: load the page again'));
  keep();
  await pair();
}

for (const [name, hue] of Object.entries(HUES)) {
  const label = make('label');
  const input = make('input');
  Object.assign(input, { type: 'radio', name: 'hue', value: hue, onchange: () => command({ hue }) });
  const colour = make('span');
  colour.style.background = `hsl(${hue} 85% 55%)`;
  label.title = name;
  label.append(input, colour, make('span', 'unseen', name));
  by('hues').append(label);
}
by('power').onclick = () => command({ power: by('power').getAttribute('aria-pressed') !== 'true' });
by('brightness').oninput = ({ target }) => {
  by('percent').value = `${target.value} %`;
  command({ brightness: Number(target.value) });
};
by('ring').onclick = () => command('ring');
for (const button of document.querySelectorAll('[data-turn]')) button.onclick = () => command({ turn: Number(button.dataset.turn) });

start().catch((error) => showState(`not connected: ${error.message}`));
