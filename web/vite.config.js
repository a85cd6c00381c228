// Builds the explorer into dist/, which the Rust binary embeds and serves.
//
// The page is answered at `/` with a policy that allows nothing but its own origin, so: no inline script, no small
// assets turned into data addresses, relative addresses (the gateway may sit behind a path prefix), hashed names under
// assets/ (they may be cached for ever).

import { defineConfig } from 'vite';

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
  worker: { format: 'es' },
});
