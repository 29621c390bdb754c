// The service worker: the page opens without network. A new version is offered, and
// taken when its user says so.

import { signal } from '@preact/signals';

/** A new version that waits; null: none. */
export const newer = signal<ServiceWorker | null>(null);
/** True when the page opens without network. */
export const ready = signal(false);

export function startWorker(): void {
  const workers = navigator.serviceWorker;
  if (!workers || !import.meta.env.PROD) return;
  let asked = false;
  workers.addEventListener('controllerchange', () => asked && location.reload());
  const offer = (w: ServiceWorker | null): void => {
    if (w && workers.controller) newer.value = w;
  };
  void workers.register('/sw.js', { scope: '/inspect', updateViaCache: 'none' }).then((r) => {
    offer(r.waiting);
    r.addEventListener('updatefound', () => {
      const w = r.installing;
      w?.addEventListener('statechange', () => w.state === 'installed' && offer(w));
    });
    setInterval(() => void r.update().catch(() => undefined), 3600_000);
  }, () => undefined); // an intranet without https: the page works while there is network
  void workers.ready.then(() => (ready.value = true));
  takeNewer = () => {
    asked = true;
    newer.value?.postMessage('activate');
  };
}

/** Loads the new version. */
export let takeNewer = (): void => undefined;
