// Makes the icons of the inspector's page from public/icon.svg:
//
//   node e2e/icons.mjs
//
// A maskable icon is cut to a circle or a drop by the phone, so its picture stays within
// the middle 80 % and its ground fills the square.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { launch } from './lib.mjs';

const folder = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', 'public');
const svg = await readFile(path.join(folder, 'icon.svg'), 'utf8');
const browser = await launch();
const page = await browser.newPage();
for (const size of [192, 512]) {
  for (const kind of ['', 'maskable-']) {
    const inner = kind ? size * 0.72 : size;
    await page.setViewportSize({ width: size, height: size });
    await page.setContent(
      `<style>html,body{margin:0;height:100%;background:${kind ? '#0f5c66' : 'transparent'}}body{display:grid;place-items:center}svg{width:${inner}px;height:${inner}px;display:block}</style>${svg}`,
    );
    await page.screenshot({ path: path.join(folder, 'icons', `inspect-${kind}${size}.png`), omitBackground: true });
  }
}
await browser.close();
