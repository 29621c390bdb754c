// The service worker of the inspector's page: the page opens without network. What the
// page knows and has not sent yet is no business of this file: that is in IndexedDB.
//
// The hub puts the list of files in, and a version that changes with any of them. A new
// version is fetched whole beside the old one, and waits until the page asks for it.

const version = "VERSION";
const files = ["FILES"];
const name = `inspect-${version}`;
const mine = (key) => key.startsWith('inspect-');

self.addEventListener('install', (event) => {
  event.waitUntil(
    (async () => {
      const cache = await caches.open(name);
      // One after the other: a phone at the edge of the network loses many at once.
      for (const file of files) {
        const answer = await fetch(file, { cache: 'no-cache', credentials: 'same-origin' });
        if (!answer.ok || answer.redirected) throw new Error(`${file}: ${answer.status}`);
        await cache.put(file, answer);
      }
    })(),
  );
});

self.addEventListener('activate', (event) => {
  event.waitUntil(
    (async () => {
      // The version before stays: a page of it may be open and load a part of itself later.
      const held = (await caches.keys()).filter((key) => mine(key) && key !== name);
      await Promise.all(held.slice(0, -1).map((key) => caches.delete(key)));
      await self.clients.claim();
    })(),
  );
});

self.addEventListener('message', (event) => {
  if (event.data === 'activate') void self.skipWaiting();
});

self.addEventListener('fetch', (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== 'GET' || url.origin !== self.location.origin || url.pathname.startsWith('/api/')) return;
  const file = event.request.mode === 'navigate' ? '/inspect' : url.pathname;
  if (event.request.mode === 'navigate' && url.pathname !== '/inspect') return;
  if (!files.includes(file) && !file.startsWith('/assets/')) return;
  event.respondWith(
    (async () => {
      const held = (await (await caches.open(name)).match(file)) ?? (await caches.match(file));
      return held ?? fetch(event.request);
    })(),
  );
});

// The browser says that there is network again while no page is open: the next page sends.
self.addEventListener('sync', (event) => {
  if (event.tag !== 'outbox') return;
  event.waitUntil(
    (async () => {
      for (const client of await self.clients.matchAll({ type: 'window' })) client.postMessage('flush');
    })(),
  );
});
