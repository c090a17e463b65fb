// Makes dist/: the package for bundlers and Node (index.js), one file for `<script type="module">` (socketio-p2p.min.js),
// each with rooms as well (mesh.js, …), without raw channels and files (core-direct.js, …), and without the direct path (core.js,
// …), and the types. In all of them the internal names are short: see internal-names.mjs. Prints the sizes of the files for pages, and fails if one has
// grown beyond its limit.
//
//   node bundle.mjs

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { minify } from 'terser';
import { internalNames, SHORT } from './internal-names.mjs';

const path = (name) => fileURLToPath(new URL(name, import.meta.url));
const dist = path('dist');
rmSync(dist, { recursive: true, force: true });

/** The entries: those for pages with their files, and the most KiB that these may have with gzip. */
const ENTRIES = {
  index: {},
  mesh: {},
  'core-direct': {},
  core: {},
  'page-mesh': { minified: 'socketio-p2p-mesh.min.js', most: 38.8 },
  page: { minified: 'socketio-p2p.min.js', most: 35.4 },
  'page-core-direct': { minified: 'socketio-p2p-core-direct.min.js', most: 30.6 },
  'page-core': { minified: 'socketio-p2p-core.min.js', most: 24.7 },
};

const { version } = JSON.parse(readFileSync(path('package.json')));
const entries = Object.keys(ENTRIES).map((entry) => path(`src/${entry}.ts`));
const { names, words } = internalNames(entries, path('src/'));

/** The short texts that stand for the internal ones: those that are used most come first. */
const short = new Map();
const shorts = [...SHORT];
for (const [word, places] of [...words].sort(([, one], [, other]) => other.length - one.length)) {
  short.set(word, shorts.shift());
  for (const place of places) place.text = short.get(word);
}

/** Puts the short texts in their places. */
const shorten = {
  name: 'shorten',
  setup({ onLoad }) {
    const all = new Map();
    for (const places of words.values()) {
      for (const place of places) {
        const { fileName } = place.getSourceFile();
        all.set(fileName, [...(all.get(fileName) ?? []), place]);
      }
    }
    onLoad({ filter: /\.ts$/ }, ({ path: file }) => {
      let contents = readFileSync(file, 'utf8');
      const places = [...(all.get(file) ?? [])].sort((one, other) => other.end - one.end);
      for (const place of places) {
        contents = `${contents.slice(0, place.getStart())}${JSON.stringify(place.text)}${contents.slice(place.end)}`;
      }
      return { contents, loader: 'ts' };
    });
  },
};

// A page goes on with the session of the last one if the names are the same.
const hash = createHash('sha256').update(JSON.stringify([names, [...short]])).digest('hex');
const options = {
  bundle: true,
  format: 'esm',
  target: 'es2022',
  external: ['socket.io-client'],
  sourcemap: true,
  define: { P2P_NAMES: JSON.stringify(hash.slice(0, 8)) },
  plugins: [shorten],
  mangleProps: new RegExp(`^(${Object.keys(names).join('|')})$`),
  mangleCache: names,
  // Fields are assigned, not declared before: shorter, and the same for these classes.
  tsconfigRaw: { compilerOptions: { useDefineForClassFields: false, verbatimModuleSyntax: true } },
};
const kib = (bytes) => `${(bytes / 1024).toFixed(1)} KiB`;
let isTooLarge = false;
for (const [entry, { minified, most }] of Object.entries(ENTRIES)) {
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
  const size = gzipSync(file, { level: 9 }).length;
  console.log(`${minified}: ${kib(file.length)}, ${kib(size)} with gzip`);
  if (size > most * 1024) {
    console.error(`${minified} has more than ${most} KiB with gzip`);
    isTooLarge = true;
  }
}

const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
const types = ['--outDir', path('dist/types'), '--rootDir', path('src'), '--emitDeclarationOnly', '--declarationMap', 'false'];
execFileSync(process.execPath, [tsc, '-p', path('tsconfig.dist.json'), ...types], { stdio: 'inherit' });
if (isTooLarge) process.exit(1);
