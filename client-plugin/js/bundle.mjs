// Makes dist/: the package for bundlers and Node (index.js), one file for `<script type="module">`
// (socketio-p2p.min.js), and the types. Prints the sizes of the one file.
//
//   node bundle.mjs

import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const path = (name) => fileURLToPath(new URL(name, import.meta.url));
const dist = path('dist');
rmSync(dist, { recursive: true, force: true });

const options = { bundle: true, format: 'esm', target: 'es2022', external: ['socket.io-client'], sourcemap: true };
const { version } = JSON.parse(readFileSync(path('package.json')));
const banner = { js: `// socketio-p2p ${version}, MIT OR Apache-2.0` };
await build({ ...options, entryPoints: [path('src/index.ts')], outfile: path('dist/index.js') });
await build({
  ...options,
  banner,
  entryPoints: [path('src/page.ts')],
  outfile: path('dist/socketio-p2p.min.js'),
  minify: true,
  legalComments: 'none',
});

const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
const types = ['--outDir', path('dist/types'), '--rootDir', path('src'), '--emitDeclarationOnly', '--declarationMap', 'false'];
execFileSync(process.execPath, [tsc, '-p', path('tsconfig.dist.json'), ...types], { stdio: 'inherit' });

const file = readFileSync(path('dist/socketio-p2p.min.js'));
const kib = (bytes) => `${(bytes / 1024).toFixed(1)} KiB`;
console.log(`socketio-p2p.min.js: ${kib(file.length)}, ${kib(gzipSync(file, { level: 9 }).length)} with gzip`);
