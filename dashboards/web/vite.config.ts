import type { Plugin } from 'vite';
import { defineConfig } from 'vite';

// The address of a running hub for "npm run dev"; HUB names another.
const hub = process.env['HUB'] ?? 'http://127.0.0.1:8080';

// One HTML file for each workplace. The hub serves NAME.html at /NAME.
const pages = ['index', 'meters', 'cases', 'desk', 'inspect', 'signin', 'admin'];

/** Serves /NAME from NAME.html in development too. */
const cleanAddresses: Plugin = {
  name: 'clean-addresses',
  configureServer(server) {
    server.middlewares.use((req, _res, next) => {
      const [path = '', query] = (req.url ?? '').split('?');
      if (pages.includes(path.slice(1))) req.url = `${path}.html${query === undefined ? '' : `?${query}`}`;
      next();
    });
  },
};

export default defineConfig({
  appType: 'mpa',
  plugins: [cleanAddresses],
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    // Nothing is inlined: the pages' security policy allows no data: scripts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // What belongs to which page: the service worker's list is made from it.
    manifest: 'pages.json',
    rollupOptions: { input: pages.map((name) => `${name}.html`) },
  },
  server: { proxy: { '/api': hub, '/readyz': hub } },
});
