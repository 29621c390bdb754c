// A record is something that an inspector has done: a report, or the answer to a
// verification or check. It lives on the phone until the hub has confirmed it, and seven
// days more.

/** What the hub or a receiver says about a place. */
export interface Place {
  lon: number;
  lat: number;
  crs: 'WGS84' | 'CGCS2000' | 'GCJ-02';
  accuracy?: number;
}

export type Kind = 'report' | 'verify' | 'check';

/**
 * draft: being written. waiting: complete, to be sent. sending: on its way, and perhaps
 * arrived. sent: the hub has confirmed it. refused: the hub will not have it as it is.
 * held: whoever made it must sign in first.
 */
export type State = 'draft' | 'waiting' | 'sending' | 'sent' | 'refused' | 'held';

export type Stage = 'report' | 'verify' | 'handled' | 'check';

/** A photo of a record; its bytes are kept apart, by their digest. */
export interface PhotoRef {
  digest: string;
  stage: Stage;
  bytes: number;
  /** The digest under which the hub keeps it: it has confirmed the upload. */
  kept?: string;
}

export interface Trouble {
  code: string;
  detail: string;
  fields: { location: string; message: string }[];
}

export interface ReportBody {
  class: string;
  component: string;
  description: string;
  location: string;
  urgency: 'normal' | 'urgent' | 'dangerous';
  selfHandled: boolean;
  /** Where the thing is; absent: where its component is. */
  place?: Place;
}

export interface AnswerBody {
  case: string;
  outcome: '' | 'yes' | 'no';
  text: string;
  /** Why the answer is no. */
  reason: string;
  /** Why the answer was given far from the place. */
  far: string;
}

/** What the hub has confirmed. */
export interface Answer {
  case: string;
  number: number;
  state: string;
  at: number;
  /** The hub had it already, under this id, with what was written before. */
  earlier?: boolean;
}

export interface Entry {
  /** The UUID under which the hub takes it once. */
  id: string;
  kind: Kind;
  /** Who made it; nobody else sends it. */
  person: string;
  state: State;
  /** Counts the writes, so that nobody overwrites what they have not seen. */
  rev: number;
  /** When it was begun: the order of sending. */
  made: number;
  /** The phone's clock when it was completed, RFC 3339; part of what is sent. */
  saved: string;
  /** How often it was tried. */
  tries: number;
  /** Not to be tried before. */
  due: number;
  /** For lists. */
  title: string;
  photos: PhotoRef[];
  /** Where the person stood. */
  here?: Place;
  report?: ReportBody;
  answer?: AnswerBody;
  trouble?: Trouble;
  done?: Answer;
}

/** The stage of a photo that is taken for a record. */
export const STAGE: Record<Kind, Stage> = { report: 'report', verify: 'verify', check: 'check' };

/** A new record of somebody. */
export function begin(kind: Kind, person: string, now: number, id: string): Entry {
  const e: Entry = { id, kind, person, state: 'draft', rev: 0, made: now, saved: '', tries: 0, due: 0, title: '', photos: [] };
  if (kind === 'report') e.report = { class: '', component: '', description: '', location: '', urgency: 'normal', selfHandled: false };
  else e.answer = { case: '', outcome: '', text: '', reason: '', far: '' };
  return e;
}

/** True while what is written may change: nobody else can have it. */
export function editable(e: Entry): boolean {
  return e.state === 'draft' || e.state === 'refused' || (e.state === 'waiting' && e.tries === 0);
}

/** True while it is on the phone alone. */
export function unsent(e: Entry): boolean {
  return e.state !== 'sent' && e.state !== 'draft';
}

/** What is sent. It follows from the record alone, so that every try sends the same. */
export function payload(e: Entry): { method: 'PUT' | 'POST'; path: string; body: Record<string, unknown> } {
  const media = e.photos.map((p) => ({ sm3: p.kept ?? p.digest, stage: p.stage }));
  const head: Record<string, unknown> = { role: 'inspector', person: e.person, at: e.saved, device: 'inspect' };
  if (e.here) head['position'] = e.here;
  if (media.length > 0) head['media'] = media;
  if (e.report) {
    const r = e.report;
    const report: Record<string, unknown> = { class: r.class, description: r.description.trim(), urgency: r.urgency };
    if (r.component) report['component'] = r.component;
    if (r.location.trim()) report['location'] = oneLine(r.location);
    if (r.place) report['position'] = r.place;
    if (r.selfHandled) report['self_handled'] = true;
    return { method: 'PUT', path: `/api/v1/reports/${e.id}`, body: { ...head, report } };
  }
  const a = e.answer!;
  const body: Record<string, unknown> = { ...head, act: `answer_${e.kind}`, client_id: e.id, outcome: a.outcome };
  const text = [a.text.trim(), a.far.trim()].filter((s) => s !== '').join('\n');
  if (text) body['text'] = text;
  if (a.outcome === 'no') body['reason'] = a.reason.trim();
  return { method: 'POST', path: `/api/v1/cases/${encodeURIComponent(a.case)}/acts`, body };
}

function oneLine(s: string): string {
  return s.replace(/\s+/g, ' ').trim();
}
