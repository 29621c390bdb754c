// What to do about a difference. The note of the hub is an act for some, and for others a
// finding; then the act is here, or it is that of the class.

import type { Lang } from '../shared/words.ts';
import { toldText } from './wordshub.ts';

/** A note of the hub that tells an act, alone or behind its finding. */
const ACT = /(^|: )(ask|find|give|look|read|strike|transfer|undo) /;

/** Findings whose act is another than that of their class: Chinese, English. */
const ACTS: readonly (readonly [RegExp, string, string])[] = [
  [/^the purchase was not taken off the card$/, '请用户持卡到柜台，把该次购买从卡上撤下；如已充入表内，则追回退款。', 'Have the customer bring the card, and take the purchase off it; if the meter has loaded it by then, ask for the money back.'],
  [/^the purchase was loaded$/, '额度已在表内：向用户追回退款。', 'The meter has the credit: ask the customer for the money that was given back.'],
  [/^no purchase with the order that it undoes$/, '向渠道查明退的是哪一订单，或索取缺少的售费文件。', 'Ask the channel which order it gave back, or for the missing file of sales.'],
  [/^amount differs from the purchase's$/, '按收据核对两行，请渠道更正错误的一行。', 'Compare both rows with the receipt, and let the channel correct the wrong one.'],
  [/^reissue: no live sale with the order that it stands for$/, '向渠道查明补写针对哪一订单；没有售出的，撤销补写。', 'Ask the channel which order was written again; undo the row if nothing was sold.'],
  [/^reissue: the purchase was loaded before$/, '额度已充入一次：把补写的从卡上撤下；如又充入，则向用户收款。', 'The credit was loaded once: take what was written again off the card; if it was loaded too, ask the customer for its price.'],
  [/^reissue: amount differs from the sale's$/, '按收据核对补写与原售出，更正错误的一行。', 'Compare what was written again with the sale and its receipt, and correct the wrong row.'],
  [/^the purchase was written again for another meter, and this one loaded it too$/, '查明原卡由谁持有，为多充入的一份收款。', 'Find who holds the first card, and ask for the price of the credit that was loaded twice.'],
  [/^the next purchase was sold, and the meter has not loaded this one:/, '查看卡与表：是否漏充；无法再充的，退还该次款项。', 'Look at card and meter for the purchase that was passed over; if it can no longer be loaded, give its money back.'],
  [/^the old meter was not read within a day of its end:/, '读取拆下的旧表，把剩余结转到新表。', 'Read the meter that was taken down, and transfer what it has left.'],
];

/**
 * The act that a difference asks for. classAct is what its class asks for in general; found is
 * true where note is a finding, to be told beside the act.
 */
export function actOf(note: string, classAct: string, lang: Lang): { act: string; found: boolean } {
  const special = ACTS.find(([match]) => match.test(note));
  if (special) return { act: special[lang === 'en' ? 2 : 1], found: true };
  const told = toldText(note, lang);
  if (ACT.test(note)) return { act: told.charAt(0).toUpperCase() + told.slice(1), found: false };
  return { act: classAct, found: note !== '' };
}
