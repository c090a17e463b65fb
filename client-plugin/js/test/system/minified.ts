/**
 * Puts the minified file in the place of the sources, for the tests of this folder: what they do then shows that the short
 * names of that file are right. Loaded by `node --import`.
 */

import { register } from "node:module";

import { io } from "socket.io-client";

const MINIFIED = new URL("../../../dist/socketio-p2p.min.js", import.meta.url).href;
const hook = `
export const resolve = (specifier, context, next) =>
  next(specifier.endsWith('/src/index.js') ? ${JSON.stringify(MINIFIED)} : specifier, context);`;
register(`data:text/javascript,${encodeURIComponent(hook)}`);
Object.assign(globalThis, { io });
