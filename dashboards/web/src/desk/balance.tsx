// The head of the statement: it adds up on screen, and says so, or says by how much it does not.

import type { JSX } from 'preact';
import { formatCount } from '../shared/format.ts';
import { Mark } from '../shared/marks.tsx';
import { usePolled } from '../shared/poll.ts';
import { Problem, Skeleton } from '../shared/ui.tsx';
import { lang } from '../shared/words.ts';
import type { Class, Utility } from './filter.ts';
import { ALL } from './filter.ts';
import { Yuan } from './marks.tsx';
import { formatVolume, formatYuan } from './money.ts';
import { formatRoute } from './route.ts';
import type { ClassRoll, MatchRoll, PurchaseRoll, Statement, StatementFile, Tally } from './statement.ts';
import { classLeft, mainTotals, matchLeft, over, purchaseCountLeft, purchasesLeft } from './statement.ts';
import { className, t, words } from './words.ts';
import { capital } from './wordscapital.ts';

export function Balance({ run, utility, day }: { run: number; utility: Utility; day: string }): JSX.Element {
  const { data, error } = usePolled<StatementFile>(`/api/v1/ledger/runs/${run}/statement`, () => ({ format: 'json' }), 0);
  if (error) return <Problem error={error} words={words} />;
  if (!data) return <Skeleton lines={5} />;
  const s = data.statement;
  return (
    <section class="panel balance">
      <header>
        <h3>{t('balance')}</h3>
        <p class="quiet">
          {s.from === s.to ? day : `${s.from} – ${s.to}`} · {t('balance.cut', { at: s.cut_off })} · {t('balance.rules', { rules: s.rules })}
        </p>
      </header>
      <Equation p={s.purchases} utility={utility} />
      <Channels s={s} />
      <Classes list={s.classes} utility={utility} run={run} />
      <Totals s={s} />
      <Coverage s={s} />
    </section>
  );
}

/** What is sold and not loaded: opening, and what came and went, is closing. */
function Equation({ p, utility }: { p: PurchaseRoll; utility: Utility }): JSX.Element {
  const parts: [keyof PurchaseRoll, string][] = [['opening', ''], ['sold', '+'], ['transferred', '+'], ['undone', '\u2212'], ['loaded', '\u2212'], ['closing', '=']];
  const left = purchasesLeft(p);
  return (
    <div class="body">
      <dl class="equation">
        {parts.map(([name, sign]) => (
          <div key={name} class={name}>
            <dt>
              <b aria-hidden="true">{sign}</b> {t(`roll.${name}`)}
            </dt>
            <dd>
              <Yuan of={p[name].amount} />
              <span class="count">
                {t('pieces', { n: formatCount(p[name].count, lang.value) })}
                {p[name].volume !== 0 && ` · ${formatVolume(p[name].volume, utility)}`}
              </span>
            </dd>
          </div>
        ))}
        <div class={`left ${left === 0n && purchaseCountLeft(p) === 0 ? 'ok' : 'bad'}`}>
          <dt>{t('roll.left')}</dt>
          <dd>
            <Yuan of={left} plus />
            <span class="count">{left === 0n && purchaseCountLeft(p) === 0 ? t('roll.adds_up') : t('roll.adds_not')}</span>
          </dd>
        </div>
      </dl>
    </div>
  );
}

const MATCH: readonly (keyof MatchRoll)[] = ['opening', 'rows', 'matched', 'amount_diff', 'duplicates', 'decided', 'closing'];

/** Sales and payments of each channel, side by side. */
function Channels({ s }: { s: Statement }): JSX.Element {
  const lines = s.channels.filter((c) => [c.sales, c.payments].some((m) => MATCH.some((k) => m[k].count !== 0)));
  if (lines.length === 0) return <></>;
  const Line = ({ name, side, m, of }: { name: string; side: 'sales' | 'payments'; m: MatchRoll; of: number }): JSX.Element => (
    <tr class={side}>
      {side === 'sales' && (
        <th scope="rowgroup" rowSpan={of}>
          {words.word('channel', name)}
        </th>
      )}
      <th scope="row">{t(`file.${side}`)}</th>
      {MATCH.map((k) => (
        <Cell key={k} of={m[k]} />
      ))}
      <td class="num">
        <Foot left={matchLeft(m)} />
      </td>
    </tr>
  );
  return (
    <div class="scroll" tabIndex={0} role="group" aria-label={t('balance.channels')}>
      <table>
        <caption>{t('balance.channels')}</caption>
        <thead>
          <tr>
            <th scope="col">{t('channel')}</th>
            <th scope="col">{t('side')}</th>
            {MATCH.map((k) => (
              <th key={k} scope="col" class="num">
                {t(`match.${k}`)}
              </th>
            ))}
            <th scope="col" class="num">{t('roll.left')}</th>
          </tr>
        </thead>
        {lines.map((c) => (
          <tbody key={c.channel}>
            <Line name={c.channel} side="sales" m={c.sales} of={2} />
            <Line name={c.channel} side="payments" m={c.payments} of={2} />
          </tbody>
        ))}
      </table>
    </div>
  );
}

const ROLL = ['opening', 'found', 'cleared', 'decided', 'closing'] as const;

/** Differences by class, from what the run before left to what this one leaves. */
function Classes({ list, utility, run }: { list: readonly ClassRoll[]; utility: Utility; run: number }): JSX.Element {
  const seen = list.filter((c) => ROLL.some((k) => c[k].count !== 0));
  if (seen.length === 0) return <p class="quiet note">{t('balance.nothing')}</p>;
  return (
    <div class="scroll" tabIndex={0} role="group" aria-label={t('balance.classes')}>
      <table>
        <caption>{t('balance.classes')}</caption>
        <thead>
          <tr>
            <th scope="col">{t('class')}</th>
            {ROLL.map((k) => (
              <th key={k} scope="col" class="num">
                {t(`diff.${k}`)}
              </th>
            ))}
            <th scope="col" class="num">{t('roll.left')}</th>
          </tr>
        </thead>
        <tbody>
          {seen.map((c) => (
            <tr key={c.class}>
              <th scope="row">
                {c.found.count > 0 ? (
                  <a href={formatRoute({ view: 'work', filter: { ...ALL, utility, run, classes: [c.class as Class] } })}>{className(c.class)}</a>
                ) : (
                  className(c.class)
                )}
              </th>
              {ROLL.map((k) => (
                <Cell key={k} of={c[k]} />
              ))}
              <td class="num">
                <Foot left={classLeft(c)} />
              </td>
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr>
            <th scope="row">{t('col.sum')}</th>
            {ROLL.map((k) => (
              <Cell key={k} of={over(seen, (c) => c[k])} />
            ))}
            <td />
          </tr>
        </tfoot>
      </table>
    </div>
  );
}

function Cell({ of }: { of: Tally }): JSX.Element {
  if (of.count === 0) return <td class="num nil">–</td>;
  return (
    <td class="num">
      <Yuan of={of.amount} />
      <span class="count">{formatCount(of.count, lang.value)}</span>
    </td>
  );
}

function Foot({ left }: { left: bigint }): JSX.Element {
  if (left !== 0n) return <strong class="bad">{formatYuan(left, true)}</strong>;
  return (
    <span class="foots" title={t('roll.adds_up')}>
      <Mark tone="ok" /> <span class="sr">{t('roll.adds_up')}</span>
    </span>
  );
}

/** The main totals in figures and in capitals, as the printed summary has them. */
function Totals({ s }: { s: Statement }): JSX.Element {
  return (
    <div class="scroll" tabIndex={0} role="group" aria-label={t('total.caption')}>
      <table>
        <caption>{t('total.caption')}</caption>
        <thead>
          <tr>
            <th scope="col">{t('total.item')}</th>
            <th scope="col" class="num">
              {t('total.amount')}
            </th>
            <th scope="col">{t('total.capitals')}</th>
          </tr>
        </thead>
        <tbody>
          {mainTotals(s).map(([name, amount]) => (
            <tr key={name}>
              <th scope="row">{t(`total.${name}`)}</th>
              <td class="num">
                <Yuan of={amount} />
              </td>
              <td lang="zh-CN">{capital(amount)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Coverage({ s }: { s: Statement }): JSX.Element {
  const at = s.stock.closing;
  const n = (v: number): string => formatCount(v, lang.value);
  return (
    <p class="quiet note">
      {t('balance.rows', { sales: n(s.rows.sales), payments: n(s.rows.payments), entries: n(s.rows.entries) })}{' '}
      {t('balance.coverage', { all: n(at.installations), fresh: n(at.fresh), stale: n(at.stale), residual: formatYuan(at.residual.amount) })}{' '}
      {s.rows.refused > 0 && t('balance.refused', { n: n(s.rows.refused) })}{' '}
      {s.unresolved && s.unresolved.sales + s.unresolved.entries > 0 && t('balance.unresolved', { sales: n(s.unresolved.sales), entries: n(s.unresolved.entries) })}
    </p>
  );
}
