// Visitors of the example `bot`, in pages of headless Chromium: its main story.
//
//   node bot-page.mjs PROGRAM FOLDER-OF-SCREENSHOTS
//
// Ends with status 0 if all went well.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { Example, openPage, phone, startBrowser } from './example-pages.mjs';

const [program, folder] = process.argv.slice(2);
const bot = await Example.start(program);
const browser = await startBrowser();

const last = (page) => page.locator('.message.bot').last();
const pathOf = (message) => message.locator('.about .path');

// One visitor talks, another one waits in line and sees its place.
const first = await openPage(browser, bot.url);
await first.locator('#talk').waitFor();
await first.locator('#path.direct').waitFor();
const second = await openPage(browser, bot.url, { ...phone, colorScheme: 'dark' });
await second.getByText('You are next').waitFor();
const third = await openPage(browser, bot.url);
await third.getByText('You are number 2 in line').waitFor();
assert.equal(await third.locator('#place').textContent(), '2');
await second.screenshot({ path: `${folder}/bot-line-phone.png` });

// A question.
await first.getByLabel('Your question').fill('what is 6 * 7?');
await first.getByRole('button', { name: 'Send', exact: true }).click();
await first.getByText('6 * 7 = 42').waitFor();
await pathOf(last(first)).waitFor();
assert.match(await pathOf(last(first)).textContent(), /^(direct|by the server)$/);

// An answer word by word, to its end.
await first.getByRole('button', { name: 'Explain how we are connected' }).click();
await first.getByText('You are guest-').waitFor();
await pathOf(last(first)).waitFor();
const explained = await last(first).locator('p').textContent();
assert.ok(explained.endsWith('said twice.'), explained);

// The same, stopped on the way.
await first.getByRole('button', { name: 'Explain how we are connected' }).click();
await first.getByRole('button', { name: 'Stop' }).click();
await pathOf(last(first)).first().waitFor();
assert.ok((await last(first).locator('p').textContent()).length < explained.length);

// A file from the bot.
await first.getByRole('button', { name: 'Paint a picture' }).click();
const image = first.locator('.message.bot img');
await image.waitFor();
await pathOf(last(first)).first().waitFor();
assert.deepEqual(await image.evaluate(({ naturalWidth, naturalHeight }) => [naturalWidth, naturalHeight]), [640, 640]);

// A file for the bot.
const buffer = randomBytes(1_000_003);
const progress = first.evaluate(
  () =>
    new Promise((resolve) => {
      const seen = [];
      const look = () => {
        const bar = document.querySelector('.message.own progress');
        if (bar) seen.push(bar.value);
        if (seen.length && !bar) resolve(seen);
        else requestAnimationFrame(look);
      };
      look();
    }),
);
await first.getByLabel('Send a file').setInputFiles({ name: 'noise.bin', mimeType: 'application/octet-stream', buffer });
await first.getByText(createHash('sha256').update(buffer).digest('hex')).waitFor();
const seen = await progress;
assert.deepEqual(seen, [...seen].sort((a, b) => a - b), 'progress only grows');
assert.ok(seen.at(-1) <= buffer.length);
const sent = first.locator('.message.own.file');
assert.match(await sent.textContent(), /noise\.bin.*1\.0 MB/);
await first.screenshot({ path: `${folder}/bot-desktop.png` });

// The first visitor leaves; the next one's turn comes, with a path of its own, and the third one is next.
await first.getByRole('button', { name: 'Leave' }).click();
await first.getByRole('button', { name: 'Talk to the bot' }).waitFor();
await second.locator('#path.direct').waitFor();
await third.getByText('You are next').waitFor();
await second.getByRole('button', { name: 'Roll 3 dice' }).click();
await second.getByText('I rolled').waitFor();
await second.getByRole('button', { name: 'Paint a picture' }).click();
await second.locator('.message.bot img').waitFor();
await pathOf(last(second)).first().waitFor();
await second.screenshot({ path: `${folder}/bot-phone.png` });

// A page that is loaded anew leaves, and waits behind the others.
await second.reload();
await third.locator('#talk').waitFor();
await second.getByText('You are next').waitFor();
await second.getByRole('button', { name: 'Leave the line' }).click();
await second.getByRole('button', { name: 'Talk to the bot' }).waitFor();

await browser.close();
await bot.end();
