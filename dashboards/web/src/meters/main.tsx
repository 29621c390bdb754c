import './style.css';
import { mount } from '../shared/shell.tsx';
import { App } from './app.tsx';
import { start } from './state.ts';

void mount(() => {
  start();
  return <App />;
});
