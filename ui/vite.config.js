// Builds the page into dist, which is committed: files with stable names, and paths that work below any prefix.
import { defineConfig } from 'vite';

import { fingerprint } from './sources.mjs';

const noted = {
  name: 'sources',
  generateBundle() {
    this.emitFile({ type: 'asset', fileName: 'sources', source: `${fingerprint()}\n` });
  },
};

export default defineConfig({
  base: './',
  plugins: [noted],
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    assetsInlineLimit: 0,
    modulePreload: false,
    rolldownOptions: {
      output: { entryFileNames: 'assets/app.js', chunkFileNames: 'assets/player.js', assetFileNames: 'assets/app[extname]' },
    },
  },
});
