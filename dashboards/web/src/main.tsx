import { render } from 'preact';
import { App } from './app.tsx';
import { start } from './state.ts';

start();
render(<App />, document.getElementById('app')!);
