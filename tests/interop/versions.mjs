// The versions of packages of this folder.

import { readFileSync } from 'node:fs';

export function version(name) {
  const file = new URL(`node_modules/${name}/package.json`, import.meta.url);
  return `${name} ${JSON.parse(readFileSync(file)).version}`;
}
