// The page of the example `remote`, in headless Chromium: no command is lost or obeyed twice while the server is killed,
// the network is lost and the page is loaded anew.
//
//   node remote-page.mjs PROGRAM FOLDER-OF-SCREENSHOTS
//
// Ends with status 0 if all went well.

import assert from 'node:assert/strict';
import { Example, Network, openPage, phone, startBrowser } from './example-pages.mjs';

const [program, folder] = process.argv.slice(2);
const remote = await Example.start(program);
const browser = await startBrowser();
const kill = async () => (remote.tell(''), remote.until('the server is killed'));
const start = async () => (remote.tell(''), remote.until('the server runs again'));

/** What the lamp is to have heard. */
let rings = 0;

async function ring(page, times) {
  for (let time = 0; time < times; time++) await page.getByRole('button', { name: 'Ring the bell' }).click();
  rings += times;
}

/** Waits until the lamp has heard everything, and nothing more. */
async function heard(page) {
  await page.locator('#rings', { hasText: new RegExp(`^${rings}$`) }).waitFor();
  assert.equal(await page.evaluate(() => JSON.parse(sessionStorage.getItem('outbox')).commands.length), 0);
}

async function on(page) {
  await page.locator('#state', { hasText: /^connected$/ }).waitFor();
}

// A page controls the lamp directly.
const first = await openPage(browser, remote.url, { ...phone, colorScheme: 'dark' });
await first.locator('#path.direct').waitFor();
await first.getByLabel('Brightness').fill('85');
await first.getByText('Green', { exact: true }).check({ force: true });
await remote.until('lamp on, 85 %, hue 130');
await first.getByRole('button', { name: 'Turn right' }).click();
await first.locator('#dial:not([aria-label$=" 0 degrees"])').waitFor();
await first.getByRole('button', { name: 'Stop' }).click();
await remote.until('lamp on, 85 %, hue 130, stands at ');
await ring(first, 3);
await heard(first);
await first.screenshot({ path: `${folder}/remote-phone.png` });

// The server is killed: the direct path goes on, and the next server knows the pairing again.
await kill();
await first.getByText('connected, the server is away').waitFor();
await ring(first, 3);
await heard(first);
await start();
await on(first);
await ring(first, 2);
await heard(first);
await first.getByRole('button', { name: 'On' }).click();
await remote.until('lamp off, 85 %, hue 130');
await first.context().close();

// A page that has the relay only, behind a network that can be lost.
const network = await Network.start(remote.url);
const second = await openPage(browser, `${network.url}/?paths=relay-only`);
await on(second);
await second.getByRole('button', { name: 'Off' }).click();
await second.getByText('Red', { exact: true }).check({ force: true });
await ring(second, 1);
await heard(second);

network.lose();
await second.getByText('the server is away').waitFor();
await second.getByLabel('Brightness').fill('40');
await ring(second, 5);
await second.getByText('6 commands wait for the lamp').waitFor();
await second.screenshot({ path: `${folder}/remote-away.png` });
network.restore();
await heard(second);
await on(second);

// The server is killed: the pairing is over, what waits is sent in the next one.
await kill();
await second.getByText('the server is away').waitFor();
await ring(second, 4);
await second.getByText('4 commands wait for the lamp').waitFor();
await start();
await heard(second);
await on(second);

// The page is loaded anew, when commands of it were sent that the network has lost.
network.hold();
await ring(second, 3);
network.lose();
network.restore();
await second.reload();
await on(second);
await heard(second);
await second.screenshot({ path: `${folder}/remote-desktop.png` });

await browser.close();
await remote.end();
network.close();
