// The physical meters of a place, the newest first.

import type { JSX } from 'preact';
import { formatDecimal, formatTime, formatUnit } from '../shared/format.ts';
import type { InstalledJSON } from './api.ts';
import { quantities, quantityName, t } from './state.ts';

export function Installed({ list }: { list: InstalledJSON[] }): JSX.Element {
  return (
    <section class="panel" id="installed" aria-labelledby="installed-title">
      <header>
        <h2 id="installed-title">{t('installed')}</h2>
      </header>
      {list.length === 0 ? (
        <p class="body quiet">{t('installed.none')}</p>
      ) : (
        <div class="scroll" tabIndex={0} role="region" aria-label={t('installed')}>
          <table>
            <thead>
              <tr>
                <th scope="col">{t('installed.serial')}</th>
                <th scope="col">{t('installed.from')}</th>
                <th scope="col">{t('installed.to')}</th>
                <th scope="col">{t('installed.first')}</th>
                <th scope="col">{t('installed.last')}</th>
                <th scope="col" class="num">{t('installed.multiplier')}</th>
              </tr>
            </thead>
            <tbody>
              {list.map((i) => (
                <tr key={i.from}>
                  <th scope="row">{i.serial || t('unknown')}</th>
                  <td>{formatTime(Date.parse(i.from))}</td>
                  <td>{i.to === null ? t('installed.stands') : formatTime(Date.parse(i.to))}</td>
                  <td>
                    <Registers values={i.first} />
                  </td>
                  <td>
                    <Registers values={i.last} />
                  </td>
                  <td class="num">{formatDecimal(i.multiplier)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function Registers({ values }: { values: Record<string, string> }): JSX.Element {
  return (
    <>
      {Object.entries(values).map(([q, v]) => (
        <div key={q} title={quantityName(q)}>
          {formatDecimal(v)} {formatUnit(quantities.value.get(q)?.unit ?? '')}
        </div>
      ))}
    </>
  );
}
