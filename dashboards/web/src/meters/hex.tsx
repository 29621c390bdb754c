// Bytes of a line, each with what it belongs to: marked in the row of bytes, and told
// in the table below it.

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { say } from '../shared/ui.tsx';
import { common } from '../shared/common.ts';
import type { Field, Protocol } from './frames.ts';
import { bytesOf, dissect, hexOf } from './frames.ts';
import { t } from './state.ts';
import { words } from './words.ts';

export function Hex(p: { title: string; hex: string; cut: number; protocol: Protocol; sent: boolean }): JSX.Element {
  const bytes = bytesOf(p.hex);
  const { fields, lacks } = dissect(p.protocol, p.sent, bytes);
  const [over, setOver] = useState(-1);
  const copy = (): void => void navigator.clipboard?.writeText(hexOf(bytes)).then(() => say(common.t('copied')), () => undefined);
  return (
    <div class="hex" data-sent={p.sent ? 'true' : 'false'}>
      <div class="row">
        <h3>{p.title}</h3>
        <span class="quiet">{t('frames.bytes', { n: bytes.length + p.cut })}</span>
        {bytes.length > 0 && (
          <button type="button" class="push" onClick={copy}>
            {common.t('copy')}
          </button>
        )}
      </div>
      {bytes.length === 0 ? (
        <p class="quiet">{t(p.sent ? 'frames.nothingsent' : 'frames.nothing')}</p>
      ) : (
        <>
          <p class="bytes code" role="group" aria-label={hexOf(bytes)}>
            {fields.map((f, i) => (
              <span key={f.from} class={`part ${f.kind}${f.wrong ? ' wrong' : ''}${i === over ? ' over' : ''}`} aria-hidden="true" onMouseEnter={() => setOver(i)} onMouseLeave={() => setOver(-1)}>
                {hexOf(bytes.slice(f.from, f.to))}
              </span>
            ))}
            {p.cut > 0 && <span aria-hidden="true">…</span>}
          </p>
          <Table fields={fields} bytes={bytes} over={over} onOver={setOver} />
        </>
      )}
      {p.cut > 0 && <p class="quiet">{t('frames.cut', { n: p.cut })}</p>}
      {lacks > 0 && p.cut === 0 && <p class="lacks">{t('frames.lacks', { n: lacks })}</p>}
    </div>
  );
}

function Table(p: { fields: Field[]; bytes: number[]; over: number; onOver: (i: number) => void }): JSX.Element {
  return (
    <details>
      <summary>{t('frames.explain')}</summary>
      <div class="scroll" tabIndex={0} role="region" aria-label={t('frames.explain')}>
        <table>
          <thead>
            <tr>
              <th scope="col" class="num">{t('frames.offset')}</th>
              <th scope="col">{t('frames.field')}</th>
              <th scope="col">{t('frames.raw')}</th>
              <th scope="col">{t('frames.says')}</th>
            </tr>
          </thead>
          <tbody>
            {p.fields.map((f, i) => (
              <tr key={f.from} class={i === p.over ? 'over' : ''} onMouseEnter={() => p.onOver(i)} onMouseLeave={() => p.onOver(-1)}>
                <td class="num">{f.from}</td>
                <th scope="row">
                  <span class={`part ${f.kind}`}>{words.word('field', f.name)}</span>
                </th>
                <td class="code">{hexOf(p.bytes.slice(f.from, f.to))}</td>
                <td>
                  {f.kind === 'secret' ? t('frames.secret') : f.text}
                  {f.wrong && <strong class="wrong"> {t(f.kind === 'check' ? 'frames.badsum' : 'frames.bad')}</strong>}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}
