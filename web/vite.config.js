// Builds the explorer into dist/, which the Rust binary embeds and serves.
//
// The page is answered at `/` with a policy that allows nothing but its own origin, so: no inline script, no small
// assets turned into data addresses, relative addresses (the gateway may sit behind a path prefix), hashed names under
// assets/ (they may be cached for ever).

import { cp, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, gzip } from 'node:zlib';
import { defineConfig } from 'vite';

const COMPRESSIBLE = /\.(html|js|css|svg|md|ttf)$/;
// Pages that the gateway has without this build, which only adds their compressed copies.
const PLAIN = ['fallback.html', 'fallback.css', 'fallback.js', 'scopes.css'];
const PLAIN_DIRECTORY = '../src/http/explorer';
const WORTHWHILE_BYTES = 1_000; // Below, an answer fits one packet anyway.

export default defineConfig({
  base: './',
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    // Monaco, the editor inside GraphiQL, is 3 MB in one piece and loads after the page is drawn.
    chunkSizeWarningLimit: 4000,
    // The licences of everything bundled, as they ask to be passed on.
    license: { fileName: 'assets/licenses.md' },
    rolldownOptions: {
      // "use client" in libraries speaks to server rendering, which there is none of here.
      onwarn: (warning, show) => warning.code === 'MODULE_LEVEL_DIRECTIVE' || show(warning),
    },
  },
  plugins: [precompress()],
  worker: { format: 'es' },
});

/**
 * Leaves a brotli and a gzip copy beside each larger file; the gateway sends whichever a browser takes.
 *
 * The plain pages are copied too, because the gateway sends a compressed copy only of the text that it has itself.
 */
function precompress() {
  let directory;
  return {
    name: 'precompress',
    apply: 'build',
    configResolved(config) { directory = config.build.outDir; },
    async closeBundle() {
      for (const file of PLAIN) await cp(join(PLAIN_DIRECTORY, file), join(directory, 'plain', file));
      const files = await readdir(directory, { recursive: true });
      await Promise.all(files.filter((file) => COMPRESSIBLE.test(file)).map((file) => compress(join(directory, file))));
    },
  };
}

async function compress(path) {
  const text = await readFile(path);
  if (text.length < WORTHWHILE_BYTES) return;
  await writeFile(`${path}.br`, await promisify(brotliCompress)(text));
  await writeFile(`${path}.gz`, await promisify(gzip)(text, { level: 9 }));
}
