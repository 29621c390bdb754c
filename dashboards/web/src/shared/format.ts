// How numbers, units, ages and times are written. Decimal values stay strings:
// they are grouped, never parsed.

import type { Lang } from '../shared/words.ts';

export const ZONE = 'Asia/Shanghai';

/** Groups the digits of an exact decimal by threes: "1234567.80" is "1,234,567.80". */
export function formatDecimal(s: string): string {
  const m = /^(-?)(\d+)(\.\d+)?$/.exec(s);
  if (!m) return s;
  const whole = (m[2] ?? '').replace(/\B(?=(\d{3})+(?!\d))/g, ',');
  return (m[1] ? '\u2212' : '') + whole + (m[3] ?? '');
}

const UNITS: Record<string, string> = {
  m3: 'm³', 'm3/h': 'm³/h', Cel: '°C', 'kW.h': 'kWh', 'kvar.h': 'kvarh', 'V.A': 'VA', '1': '',
};

/** The unit as people write it, from its UCUM code. */
export function formatUnit(ucum: string): string {
  return UNITS[ucum] ?? ucum;
}

export function formatCount(n: number, lang: Lang): string {
  return new Intl.NumberFormat(lang).format(n);
}

/** A mean or another figure that is no exact decimal. */
export function formatFloat(n: number, lang: Lang): string {
  return new Intl.NumberFormat(lang, { maximumFractionDigits: 3 }).format(n);
}

/** A rate, with a decimal below ten: 0, <0.1, 0.4, 7.5, 128, 24,980. */
export function formatRate(n: number, lang: Lang): string {
  if (n > 0 && n < 0.05) return '<0.1';
  const digits = n !== 0 && n < 9.95 ? 1 : 0;
  return new Intl.NumberFormat(lang, { maximumFractionDigits: digits, minimumFractionDigits: digits }).format(n);
}

export function formatBytes(n: number, lang: Lang): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let i = 0;
  while (n >= 1000 && i < units.length - 1) {
    n /= 1000;
    i++;
  }
  return `${new Intl.NumberFormat(lang, { maximumFractionDigits: i && n < 100 ? 1 : 0 }).format(n)} ${units[i]}`;
}

/** Milliseconds as people read them: 850 ms, 1.3 s, 4 min. */
export function formatSpan(ms: number, lang: Lang): string {
  if (ms < 950) return `${formatCount(Math.round(ms), lang)} ms`;
  const one = new Intl.NumberFormat(lang, { maximumFractionDigits: 1 });
  if (ms < 60_000) return `${one.format(ms / 1000)} s`;
  if (ms < 3_600_000) return `${one.format(ms / 60_000)} min`;
  return `${one.format(ms / 3_600_000)} h`;
}

/** A part of a whole, 0 to 1. It is cut, not rounded: 100 % means that nothing is missing. */
export function formatPercent(part: number, lang: Lang): string {
  const cut = Math.floor(part * 1000 + 1e-9) / 1000;
  return new Intl.NumberFormat(lang, { style: 'percent', maximumFractionDigits: 1 }).format(cut);
}

/** How far a clock is ahead (+) or behind (\u2212). */
export function formatDrift(ms: number, lang: Lang): string {
  const sign = ms > 0 ? '+' : ms < 0 ? '\u2212' : '';
  return sign + formatSpan(Math.abs(ms), lang);
}

/** A collector's error without the meter's name before it, for places that name the meter already. */
export function withoutMeter(error: string, meter: string): string {
  const name = `meter ${meter}: `;
  return error.startsWith(name) ? error.slice(name.length) : error;
}

/** How long ago: the whole part of the largest unit that fits. */
export function formatAge(ms: number, lang: Lang): string {
  const s = Math.max(0, Math.floor(ms / 1000));
  const [n, unit] = s < 60 ? [s, 's'] : s < 3600 ? [Math.floor(s / 60), 'min'] : s < 86_400 ? [Math.floor(s / 3600), 'h'] : [Math.floor(s / 86_400), 'd'];
  const zh: Record<string, string> = { s: '秒', min: '分', h: '小时', d: '天' };
  return lang === 'zh-CN' ? `${n} ${zh[String(unit)]}前` : `${n} ${unit} ago`;
}

const clocks = new Map<string, Intl.DateTimeFormat>();

function clock(key: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  let f = clocks.get(key);
  if (!f) {
    f = new Intl.DateTimeFormat('en-GB', { timeZone: ZONE, hourCycle: 'h23', ...options });
    clocks.set(key, f);
  }
  return f;
}

function parts(f: Intl.DateTimeFormat, t: number): Record<string, string> {
  return Object.fromEntries(f.formatToParts(t).map((p) => [p.type, p.value]));
}

const FULL: Intl.DateTimeFormatOptions = {
  year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit',
};

/** 10:15:02 in the zone of the page. */
export function formatClock(t: number): string {
  const p = parts(clock('full', FULL), t);
  return `${p.hour}:${p.minute}:${p.second}`;
}

/** 2026-03-01 10:15:02 in the zone of the page. */
export function formatTime(t: number): string {
  const p = parts(clock('full', FULL), t);
  return `${p.year}-${p.month}-${p.day} ${p.hour}:${p.minute}:${p.second}`;
}

/** 2026-03-01T10:15:02+08:00: the form of exports. */
export function formatOffsetTime(t: number): string {
  const p = parts(clock('full', FULL), t);
  const wall = Date.UTC(+p.year!, +p.month! - 1, +p.day!, +p.hour!, +p.minute!, +p.second!);
  const offset = Math.round((wall - Math.floor(t / 1000) * 1000) / 60_000);
  const abs = Math.abs(offset);
  const two = (n: number): string => String(n).padStart(2, '0');
  const ms = ((t % 1000) + 1000) % 1000;
  const frac = ms ? `.${String(ms).padStart(3, '0')}` : '';
  return `${p.year}-${p.month}-${p.day}T${p.hour}:${p.minute}:${p.second}${frac}${offset < 0 ? '-' : '+'}${two(Math.floor(abs / 60))}:${two(abs % 60)}`;
}

/** A tick of a time axis: 10:15, at midnight 03-01; with seconds when ticks are closer than a minute. */
export function formatTick(t: number, stepSeconds: number): string {
  const p = parts(clock('full', FULL), t);
  if (stepSeconds >= 86_400 || (p.hour === '00' && p.minute === '00' && p.second === '00')) return `${p.month}-${p.day}`;
  return stepSeconds < 60 ? `${p.hour}:${p.minute}:${p.second}` : `${p.hour}:${p.minute}`;
}

/** A tick of a value axis, with as many decimals as all ticks of that step need: 9,544.40 beside 9,544.42. */
export function formatLevel(v: number, step: number, lang: Lang): string {
  let digits = 0;
  while (digits < 9 && Math.abs(step * 10 ** digits - Math.round(step * 10 ** digits)) > 1e-6) digits++;
  return new Intl.NumberFormat(lang, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(v);
}
