// Which readings of the last day are not good, and why.

import type { JSX } from 'preact';
import { formatCount, formatTime } from '../shared/format.ts';
import { QualityMark } from '../shared/marks.tsx';
import { Value } from '../shared/value.tsx';
import type { DiagnosisJSON } from './api.ts';
import { lang, quantityName, t } from './state.ts';
import { words } from './words.ts';

export function Verdicts({ d }: { d: DiagnosisJSON }): JSX.Element {
  return (
    <section class="panel" id="verdicts" aria-labelledby="verdicts-title">
      <header>
        <h2 id="verdicts-title">{t('verdicts')}</h2>
        <p class="quiet">{t('verdicts.about')}</p>
      </header>
      {d.verdicts.length === 0 ? (
        <p class="body quiet">{t('verdicts.none')}</p>
      ) : (
        <>
          <Counts d={d} />
          <Newest d={d} />
        </>
      )}
    </section>
  );
}

function Counts({ d }: { d: DiagnosisJSON }): JSX.Element {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={t('verdicts')}>
      <table>
        <thead>
          <tr>
            <th scope="col">{t('col.quantity')}</th>
            <th scope="col">{t('col.quality')}</th>
            <th scope="col">{t('verdicts.reason')}</th>
            <th scope="col" class="num">{t('verdicts.count')}</th>
            <th scope="col">{t('verdicts.last')}</th>
          </tr>
        </thead>
        <tbody>
          {d.verdicts.map((v) => (
            <tr key={`${v.quantity} ${v.quality} ${v.reason}`} data-verdict={v.reason}>
              <th scope="row">{quantityName(v.quantity)}</th>
              <td>
                <QualityMark quality={v.quality} />
              </td>
              <td>{words.word('why', v.reason)}</td>
              <td class="num">{formatCount(v.count, lang.value)}</td>
              <td>{formatTime(Date.parse(v.last))}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Newest({ d }: { d: DiagnosisJSON }): JSX.Element {
  return (
    <details class="body">
      <summary>{t(d.doubtful_all ? 'verdicts.newest' : 'verdicts.newestcut', { n: d.doubtful.length })}</summary>
      <div class="scroll twin" tabIndex={0} role="region" aria-label={t('verdicts')}>
        <table>
          <thead>
            <tr>
              <th scope="col">{t('th.time')}</th>
              <th scope="col">{t('col.quantity')}</th>
              <th scope="col" class="num">{t('col.value')}</th>
              <th scope="col">{t('col.quality')}</th>
              <th scope="col">{t('verdicts.reason')}</th>
              <th scope="col">{t('verdicts.origin')}</th>
            </tr>
          </thead>
          <tbody>
            {d.doubtful.map((r) => (
              <tr key={`${r.taken_at} ${r.quantity} ${r.origin}`}>
                <td>{formatTime(Date.parse(r.taken_at))}</td>
                <td>{quantityName(r.quantity)}</td>
                <td class="num">
                  <Value v={r} />
                </td>
                <td>
                  <QualityMark quality={r.quality} />
                </td>
                <td>{words.word('why', r.reason)}</td>
                <td>{words.word('origin', r.origin)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}
