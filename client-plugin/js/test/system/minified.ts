/**
 * Puts the minified files in the place of the sources, for the tests of this folder: what they do then shows that the short
 * names of those files are right. Loaded by `node --import`.
 */

import { register } from "node:module";

import { io } from "socket.io-client";

const file = (name: string) => JSON.stringify(new URL(`../../../dist/${name}.min.js`, import.meta.url).href);
const hook = `
const files = { index: ${file("socketio-p2p")}, mesh: ${file("socketio-p2p-mesh")} };
export const resolve = (specifier, context, next) =>
  next(files[/\\/src\\/(index|mesh)\\.js$/.exec(specifier)?.[1]] ?? specifier, context);`;
register(`data:text/javascript,${encodeURIComponent(hook)}`);
Object.assign(globalThis, { io });
