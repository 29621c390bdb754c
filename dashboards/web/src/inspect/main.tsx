import { render } from 'preact';
import { session, signInAddress } from '../shared/session.ts';
import { startTheme } from '../shared/theme.ts';
import { App } from './app.tsx';
import { persist } from './quota.ts';
import { startRoute } from './route.ts';
import type { Person } from './state.ts';
import { askSession, person, recall, reload, showAlong } from './state.ts';
import { startSync } from './sync.ts';
import { startWorker } from './worker.ts';
import '../shared/style.css';
import './style.css';

/** Shows what is on the phone at once; the hub is asked beside it. */
async function start(): Promise<void> {
  startTheme();
  startRoute();
  person.value = (await recall<Person | null>('person')) ?? null;
  await reload();
  await showAlong();
  const box = document.getElementById('app')!;
  if (person.value) {
    render(<App />, box);
    await askSession();
  } else {
    await askSession(15_000);
    const state = session.value?.state;
    if (state === 'signed_out' || state === 'set_up') {
      location.replace(signInAddress());
      return;
    }
    render(<App />, box);
  }
  startSync();
  startWorker();
  void persist();
}

void start();
