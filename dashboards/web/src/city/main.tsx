import './style.css';
import { mount } from '../shared/shell.tsx';
import { App } from './app.tsx';
import { start } from './state.ts';

let started = false;

void mount(() => {
  if (!started) start();
  started = true;
  return <App />;
});
