// The page of the example `bot`: waits in line, asks, reads an answer word by word, and exchanges files.

import { by, make, ownName, pathMark, showPath, size } from '/common.js';
import { connect } from '/socketio-p2p.min.js';

/** The time to wait in line, in milliseconds. */
const LINE = 10 * 60_000;
/** The length of a piece of a file, and the pieces that are under way at a time. */
const PIECE = 16 * 1024;
const UNDER_WAY = 8;
/** The longest file that is taken from the bot: it is kept in memory. */
const LONGEST = 16e6;

const shown = ['talk', 'line', 'out'];
const talk = by('talk');
let waiting; // ends the wait in line
let client;

// ---- What the page shows.

function show(which) {
  for (const id of shown) by(id).hidden = id !== which;
  by('foot').hidden = by('leave').hidden = which !== 'talk';
  if (which !== 'talk') showPath(by('path'));
}

/** Shows that there is no talk, why, and whether one can begin. */
function showOut(state, why, canJoin) {
  show('out');
  by('state').textContent = state;
  by('why').textContent = why;
  by('join').hidden = !canJoin;
}

/** Adds a message. Returns its parts. */
function say(kind, text = '') {
  const message = make('div', `message ${kind}`);
  const words = make('p', '', text);
  const about = make('div', 'about');
  message.append(words, about);
  const isAtEnd = talk.scrollHeight - talk.scrollTop - talk.clientHeight < 80;
  talk.append(message);
  if (isAtEnd) talk.scrollTop = talk.scrollHeight;
  return { message, words, about };
}

/** Adds a message with a progress bar. */
function sayFile(kind, name, total) {
  const file = say(`${kind} file`, name);
  const bar = make('progress');
  bar.max = Math.max(total, 1);
  bar.value = 0;
  bar.setAttribute('aria-label', `Progress of ${name}`);
  file.words.after(bar);
  const progress = (bytes) => {
    bar.value = total ? bytes : 1;
    file.about.textContent = `${size(bytes)} of ${size(total)}`;
  };
  progress(0);
  return { ...file, bar, progress };
}

/** Marks a message with the path of its answer, or with the numbers of pieces that took each. */
function mark(about, taken, ...more) {
  const paths = typeof taken === 'string' ? { [taken]: 1 } : taken;
  const marks = Object.entries(paths).filter(([, count]) => count);
  about.replaceChildren(
    ...marks.map(([path, count]) => {
      const mark = pathMark(path);
      if (marks.length > 1) mark.textContent += ` × ${count}`;
      return mark;
    }),
    ...more,
  );
  talk.scrollTop = talk.scrollHeight;
}

/** Says what became of a request that got no answer. */
function fail(about, error) {
  const executed = { true: 'the bot failed', false: 'the bot did not get it', undefined: 'nobody knows whether the bot got it' };
  about.replaceChildren(pathMark('away'), `${executed[error.executed]}: ${error.message}`);
  about.firstChild.textContent = 'no answer';
}

// ---- Being connected, waiting in line, and being paired.

/** Asks for the bot, and waits in line while it talks to somebody else. */
async function join() {
  waiting = new AbortController();
  const { signal } = waiting;
  showOut('connected', 'asking for the bot …', false);
  try {
    try {
      await client.register('bot', { signal });
    } catch (error) {
      // It is on its way back when the server was started again.
      if (error.code === 'offline') await client.register('bot', { signal, retry: 60_000, waitInLine: LINE });
      else if (error.code !== 'target-busy') throw error;
      else {
        showPlace();
        await client.register('bot', { signal, waitInLine: LINE });
      }
    }
    begin();
  } catch (error) {
    if (client.isClosed || client.pairing) return;
    if (error.code === 'cancelled') {
      client.unregister().catch(() => {}); // It may have been given at the same moment.
      showOut('connected', 'You have left the line.', true);
    } else showOut('connected', `The bot is not there for you: ${error.message}`, true);
  }
}

function showPlace(place) {
  show('line');
  by('state').textContent = 'waiting in line';
  by('place').textContent = place || '…';
  by('wait').textContent = {
    undefined: 'The bot talks to somebody else.',
    0: 'It is your turn.',
    1: 'The bot talks to somebody else. You are next.',
  }[place] ?? `The bot talks to somebody else. You are number ${place} in line.`;
}

function begin() {
  show('talk');
  by('state').textContent = `you are ${client.id}`;
  showPath(by('path'), 'relay');
  say('note', 'You are talking to the bot.');
  // On a phone it would open the keyboard.
  if (matchMedia('(pointer: fine)').matches) by('text').focus();
}

async function start() {
  const id = ownName('guest');
  client = await connect(location.origin, {
    id,
    retryConnect: 60_000,
    socket: { transports: ['websocket'] },
    on2: { word, file, piece },
  });
  globalThis.client = client; // for the console
  client.on('in-line', ({ place }) => showPlace(place));
  client.on('path', ({ path }) => client.pairing && showPath(by('path'), path ?? 'away'));
  client.on('partner', ({ state }) => state === 'away' && say('note', 'The bot is away. What you send waits.'));
  client.on('away', () => client.pairing && say('note', 'The server cannot be reached. What you send waits, or goes directly.'));
  client.on('resumed', () => client.pairing && say('note', 'The server is back.'));
  client.on('unpaired', ({ reason }) => {
    say('note', `The talk is over: ${reason}.`);
    if (reason === 'unregistered') showOut('connected', 'The talk is over.', true);
    else join();
  });
  client.on('disconnected', () => showOut('not connected', 'The connection is lost for good. Load the page again.', false));
  await join();
}

// ---- What the visitor wants.

/** Asks a question, and shows the answer. */
async function ask(question) {
  say('own', question);
  const { words, about } = say('bot', '…');
  try {
    const { args, path } = await client.with({ reply: 'all' }).emit2('ask', question);
    words.textContent = args[0];
    mark(about, path);
  } catch (error) {
    words.textContent = '';
    fail(about, error);
  }
}

/** The explanation that arrives. */
let explaining;

async function explain() {
  say('own', 'How are we connected?');
  const stop = make('button', '', 'Stop');
  const message = say('bot');
  message.words.after(stop);
  const current = (explaining = { ...message, isWanted: true });
  stop.onclick = () => (current.isWanted = false);
  by('explain').disabled = true;
  try {
    mark(message.about, await client.with({ timeout: 5 * 60_000 }).emit2('explain'));
  } catch (error) {
    fail(message.about, error);
  }
  stop.remove();
  by('explain').disabled = false;
}

/** Takes a word of the explanation. The reply says whether more is wanted. */
function word(text) {
  if (!explaining) return false;
  explaining.words.textContent += text;
  talk.scrollTop = talk.scrollHeight;
  return explaining.isWanted;
}

async function picture() {
  say('own', 'Paint a picture for me.');
  by('picture').disabled = true;
  try {
    const taken = await client.with({ timeout: 5 * 60_000 }).emit2('picture');
    const { message, words, bar, about, bytes, type } = receiving;
    const image = make('img');
    image.alt = `A Julia set, painted by the bot: ${words.textContent}`;
    image.src = URL.createObjectURL(new Blob([bytes], { type }));
    bar.replaceWith(image);
    await image.decode();
    mark(about, taken, size(bytes.length));
    message.scrollIntoView({ block: 'end' });
  } catch (error) {
    fail(receiving?.about ?? say('bot').about, error);
  }
  receiving = undefined;
  by('picture').disabled = false;
}

/** The file that the bot sends. */
let receiving;

function file({ name, type, size: total }) {
  if (!(Number.isSafeInteger(total) && total >= 0 && total <= LONGEST)) throw new Error('the file is too long for this page');
  receiving = { ...sayFile('bot', String(name), total), bytes: new Uint8Array(total), type, has: 0 };
}

function piece(at, bytes) {
  if (!receiving || at !== receiving.has || at + bytes.length > receiving.bytes.length) throw new Error('the piece does not fit');
  receiving.bytes.set(bytes, at);
  receiving.has += bytes.length;
  receiving.progress(receiving.has);
}

/** Sends a file in pieces, several of which are under way at a time. */
async function sendFile(chosen) {
  const { bar, about, progress } = sayFile('own', chosen.name, chosen.size);
  by('file').disabled = true;
  const taken = { direct: 0, relay: 0 };
  try {
    const emits = client.with({ reply: 'all', timeout: 60_000 });
    await emits.emit2('file', chosen.name, chosen.size);
    let has = 0;
    const underWay = new Set();
    for (let at = 0; at < chosen.size; at += PIECE) {
      const bytes = new Uint8Array(await chosen.slice(at, at + PIECE).arrayBuffer());
      const sent = emits.emit2('piece', at, bytes).then(({ path }) => {
        taken[path]++;
        progress((has += bytes.length));
        underWay.delete(sent);
      });
      underWay.add(sent);
      sent.catch(() => {}); // It is reported by one of the two that wait.
      if (underWay.size >= UNDER_WAY) await Promise.race(underWay);
    }
    await Promise.all(underWay);
    const { args, path } = await emits.emit2('done');
    if (!chosen.size) taken[path]++;
    bar.remove();
    mark(about, taken, size(args[0].bytes));
    const { words } = say('bot', 'I have it. Its SHA-256 is ');
    words.append(make('code', '', args[0].sha256));
    mark(words.nextSibling, path);
  } catch (error) {
    fail(about, error);
  }
  by('file').disabled = false;
}

for (const button of document.querySelectorAll('[data-ask]')) button.onclick = () => ask(button.dataset.ask);
by('explain').onclick = explain;
by('picture').onclick = picture;
by('file').onchange = ({ target }) => {
  if (target.files[0]) sendFile(target.files[0]);
  target.value = '';
};
by('ask').onsubmit = (event) => {
  event.preventDefault();
  const question = by('text').value.trim();
  by('text').value = '';
  if (question) ask(question);
};
by('give-up').onclick = () => waiting?.abort();
by('leave').onclick = () => client.unregister().catch((error) => say('note', error.message));
by('join').onclick = join;

start().catch((error) => showOut('not connected', error.message, false));
