// Where the phone is. The browser asks its owner once; a refusal is told, and the work
// goes on with the place of the component or a pin on the map.

import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { Place } from './record.ts';

export interface Here extends Place {
  accuracy: number;
  at: number;
}

export type NoPlace = 'denied' | 'unavailable' | 'insecure';

export const here = signal<Here | null>(null);
export const noPlace = signal<NoPlace | null>(null);

/** Beyond this accuracy a position is doubtful, in metres. */
export const DOUBTFUL = 30;
/** Beyond this distance from the task an answer needs a reason, in metres. */
export const FAR = 50;
/** A position older than this says nothing about now. */
const STALE = 120_000;

let watchers = 0;
let watch = 0;

function start(): void {
  if (!('geolocation' in navigator)) {
    noPlace.value = globalThis.isSecureContext ? 'unavailable' : 'insecure';
    return;
  }
  watch = navigator.geolocation.watchPosition(
    (p) => {
      noPlace.value = null;
      // Centimetres are enough, and make the same text on every phone.
      const seven = (v: number): number => Math.round(v * 1e7) / 1e7;
      here.value = { lon: seven(p.coords.longitude), lat: seven(p.coords.latitude), crs: 'WGS84', accuracy: Math.round(p.coords.accuracy * 10) / 10, at: Date.now() };
    },
    (err) => {
      noPlace.value = err.code === err.PERMISSION_DENIED ? 'denied' : 'unavailable';
    },
    { enableHighAccuracy: true, maximumAge: 5000, timeout: 30_000 },
  );
}

/** Follows the position while a view needs it. */
export function usePosition(): void {
  useEffect(() => {
    if (watchers++ === 0) start();
    return () => {
      if (--watchers === 0 && watch) navigator.geolocation.clearWatch(watch);
    };
  }, []);
}

/** The position as it is sent; undefined: none that is fresh. */
export function stand(now: number): Place | undefined {
  const h = here.value;
  if (!h || now - h.at > STALE) return undefined;
  return { lon: h.lon, lat: h.lat, crs: h.crs, accuracy: h.accuracy };
}
