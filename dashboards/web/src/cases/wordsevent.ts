// What the detectors of the collectors and the hub say of an event in English, said in
// Chinese. What is not known here stays as it is.

import type { Lang } from '../shared/words.ts';

const NOTES: readonly (readonly [RegExp, string])[] = [
  [/^the flow has been above the limit for (.+)$/, '流量持续超过限值 $1'],
  [/^the flow has been below the limit for (.+)$/, '流量已低于限值 $1'],
  [/^the flow never came down to nothing through (\d+) night\(s\)$/, '连续 $1 夜流量不归零'],
  [/^a night with no flow again$/, '夜间流量已归零'],
  [/^no flow for (.+)$/, '已无流量 $1'],
  [/^the flow has run back for (.+)$/, '反向流动已持续 $1'],
  [/^(\S+) m3 ran back in (.+)$/, '$2内倒流 $1 m³'],
  [/^nothing has run back for (.+)$/, '已无倒流 $1'],
  [/^no answer for (.+) on line (.+)$/, '线路 $2 上无应答 $1'],
  [/^the meter answers again$/, '表计已恢复应答'],
  [/^the contact of the cover is open$/, '井盖开关断开'],
  [/^the contact of the cover is closed again$/, '井盖开关已闭合'],
  [/^the cover is tilted$/, '井盖倾斜'],
  [/^the cover lies flat again$/, '井盖已放平'],
  [/^water stands in the chamber above its mark$/, '井内水位超过标线'],
  [/^the water in the chamber has gone$/, '井内积水已退'],
  [/^the battery is low$/, '电池电量低'],
  [/^the battery is good again$/, '电池电量已恢复'],
  [/^the credit is used up$/, '表内额度已用完'],
  [/^the purse holds credit again$/, '表内已有额度'],
  [/^the meter calls its valve abnormal, for (.+)$/, '表计报阀门异常，已 $1'],
  [/^the valve is on its way and does not arrive, for (.+)$/, '阀门动作不到位，已 $1'],
  [/^the valve is not where it is expected, for (.+)$/, '阀门不在应有位置，已 $1'],
  [/^the relay is not where it was told to go, for (.+)$/, '继电器未按指令动作，已 $1'],
  [/^it is where it should be again$/, '已恢复到应有位置'],
];

/** A description by a sensor's event: "note (component, meter id)". */
export function eventText(text: string, lang: Lang): string {
  if (lang === 'en') return text;
  const [first = '', ...more] = text.split('\n');
  return [told(first), ...more.map((line) => line.replace(/^Case (\S+) about it was closed, and it has not cleared since\.$/, '案卷 $1 已结案，此后一直未恢复。'))].join('\n');
}

function told(text: string): string {
  const [, note = text, component = '', meter = ''] = /^(.*?)(?: \(([^()]*?)(?:, meter ([^()]+))?\))?$/.exec(text) ?? [];
  const rule = NOTES.find(([match]) => match.test(note));
  if (!rule) return text;
  const about = [component, meter && `表计 ${meter}`].filter(Boolean).join('，');
  return note.replace(rule[0], rule[1]) + (about && `（${about}）`);
}
