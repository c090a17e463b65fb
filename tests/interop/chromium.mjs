// Starts Chromium, as the stories need it.

import { chromium } from 'playwright-core';

const asRoot = ['--no-sandbox']; // root cannot have it

// Candidates are real addresses, loopback among them: the stories need no network.
const withRealAddresses = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-features=WebRtcHideLocalIpsWithMdns',
  '--allow-loopback-in-peer-connection',
];

/** Starts it. With `hidesAddresses`, candidates are names of mDNS, as by default. */
export const startBrowser = ({ hidesAddresses = false } = {}) =>
  chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: hidesAddresses ? asRoot : [...asRoot, ...withRealAddresses],
  });
