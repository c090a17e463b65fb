// Makes dist/: the package for bundlers and Node (index.js), one file for `<script type="module">`
// (socketio-p2p.min.js), each without raw channels as well (core.js, socketio-p2p-core.min.js), and the types. Prints the
// sizes of the files for pages.
//
//   node bundle.mjs

import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { minify } from 'terser';

const path = (name) => fileURLToPath(new URL(name, import.meta.url));
const dist = path('dist');
rmSync(dist, { recursive: true, force: true });

const { version } = JSON.parse(readFileSync(path('package.json')));
const options = {
  bundle: true,
  format: 'esm',
  target: 'es2022',
  external: ['socket.io-client'],
  sourcemap: true,
  // Fields are assigned, not declared before: shorter, and the same for these classes.
  tsconfigRaw: { compilerOptions: { useDefineForClassFields: false, verbatimModuleSyntax: true } },
};
const kib = (bytes) => `${(bytes / 1024).toFixed(1)} KiB`;
const FILES = { index: undefined, core: undefined, page: 'socketio-p2p.min.js', 'page-core': 'socketio-p2p-core.min.js' };
for (const [entry, minified] of Object.entries(FILES)) {
  const outfile = path(`dist/${minified ?? `${entry}.js`}`);
  await build({ ...options, entryPoints: [path(`src/${entry}.ts`)], outfile });
  if (!minified) continue;
  // With gzip its output is 3 % smaller than that of esbuild.
  const { code, map } = await minify(readFileSync(outfile, 'utf8'), {
    module: true,
    ecma: 2020,
    compress: { passes: 3, unsafe_arrows: true, unsafe_methods: true, pure_getters: true },
    format: { preamble: `// socketio-p2p ${version}, MIT OR Apache-2.0` },
    sourceMap: { content: readFileSync(`${outfile}.map`, 'utf8'), url: `${minified}.map` },
  });
  writeFileSync(outfile, code);
  writeFileSync(`${outfile}.map`, map);
  const file = readFileSync(outfile);
  console.log(`${minified}: ${kib(file.length)}, ${kib(gzipSync(file, { level: 9 }).length)} with gzip`);
}

const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
const types = ['--outDir', path('dist/types'), '--rootDir', path('src'), '--emitDeclarationOnly', '--declarationMap', 'false'];
execFileSync(process.execPath, [tsc, '-p', path('tsconfig.dist.json'), ...types], { stdio: 'inherit' });
