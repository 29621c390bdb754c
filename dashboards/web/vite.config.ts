import { defineConfig } from 'vite';

// The address of a running hub for "npm run dev".
const hub = 'http://127.0.0.1:8080';

export default defineConfig({
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    // The chart is loaded when a meter is opened; nothing is inlined, because
    // the pages' security policy allows no data: scripts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { '/api': hub, '/readyz': hub } },
});
