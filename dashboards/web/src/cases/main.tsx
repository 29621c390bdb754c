import { mount } from '../shared/shell.tsx';
import { App } from './app.tsx';

void mount(() => <App />);
