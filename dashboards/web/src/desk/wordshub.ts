// What the hub tells in English, said in the language of the page: the sides and notes
// of differences, and the mistakes of files. What is not known here stays as it is.

import type { Lang } from '../shared/words.ts';
import { formatVolume, formatYuan } from './money.ts';

type Rule = readonly [RegExp, string];

/** The word before a value: "meter 150.00", "expected 1200 L". */
const SIDES: Record<string, readonly [string, string]> = {
  'meter count': ['表内购次', 'meter count'],
  'last heard of': ['最近一次数据', 'last heard of'],
  'given back': ['已退', 'given back'],
  'sold up to': ['已售至购次', 'sold up to'],
  meter: ['表内', 'meter'], expected: ['应为', 'expected'], sale: ['售出', 'sale'], sold: ['售出', 'sold'], paid: ['到账', 'paid'],
  payment: ['到账', 'payment'], load: ['充入', 'load'], reissue: ['补写', 'reissue'], transferred: ['已结转', 'transferred'], due: ['应结转', 'due'],
};

const NOTES: readonly Rule[] = [
  [/^ask the channel for the money, or the customer for that of a bill$/, '向渠道追款；账单则向用户催收'],
  [/^find the sale, or give the money back$/, '查找售费记录，或将款项退还'],
  [/^look at price set, step reset and the meter$/, '检查价格、阶梯重置和表具'],
  [/^look for a fee, a part payment or a typing error$/, '查看是否有手续费、部分付款或录入错误'],
  [/^read the meter, or visit it$/, '抄表或上门查看'],
  [/^the next purchase was sold, and the meter has not loaded this one: order (\S+) of (\S+)$/, '下一次购买已售出，而这一次（$2 订单 $1）表内未充'],
  [/^amount differs from the purchase's$/, '金额与原售出不同'],
  [/^cumulative bought does not follow from the loads since (.+)$/, '自 $1 以来，累计购与各次充值对不上'],
  [/^cumulative use fell: look at the meter$/, '累计用量变小：检查表具'],
  [/^cumulative bought fell: look at the meter$/, '累计购变小：检查表具'],
  [/^the purchase count fell: look at the meter$/, '购次变小：检查表具'],
  [/^no sale row has numbers? (.+) although a later number was sold$/, '售费中没有购次 $1，但之后的购次已售出'],
  [/^reissue: amount differs from the sale's$/, '补写：金额与原售出不同'],
  [/^reissue: no live sale with the order that it stands for$/, '补写：所针对的订单没有有效售出'],
  [/^reissue: the purchase was loaded before$/, '补写：该次购买此前已充入'],
  [/^the channel settled this order twice: give one payment back$/, '渠道对同一订单结算两次：退还一笔'],
  [/^the customer has not put the card into the meter$/, '用户尚未把卡插入表内'],
  [/^the card was replaced before: find who holds it$/, '此卡早已补换：查明持卡人'],
  [/^the purchase was written again for another meter, and this one loaded it too$/, '该次购买已为另一只表补写，而本表也充入了'],
  [/^the meter loaded another amount than order (\S+) of (\S+) sold$/, '表内充入与 $2 订单 $1 售出不同'],
  [/^the meter loaded what no sale row has: numbers? (.+)$/, '表内充入了售费中没有的购次 $1'],
  [/^the old meter was not read within a day of its end: its final credit is not known$/, '旧表拆除前后一日内未抄，最后余额不明'],
  [/^the purchase was loaded$/, '该次购买已充入表内'],
  [/^the purchase was not taken off the card$/, '该次购买未从卡上撤下'],
  [/^no purchase with the order that it undoes$/, '找不到所退订单'],
  [/^this purchase number was sold before: undo this row$/, '该购次此前已售：撤销本行'],
  [/^this refund or reversal stands twice: strike out one row$/, '同一退费或冲正出现两次：划去一行'],
  [/^transfer what the old meter had left$/, '结转旧表余额'],
];

const FAULTS: readonly Rule[] = [
  [/^(\w+): want yuan as digits with at most two decimals, such as 50\.00$/, '须为元，最多两位小数，例如 50.00'],
  [/^(\w+): want one of (.+)$/, '只能是 $2'],
  [/^(\w+): want a moment in the form (.+)$/, '须为时刻，形式为 $2'],
  [/^the trailer counts so many rows, the file has (\d+); .*$/, '尾行所报行数不符，文件有 $1 行；有缺行或重行，请重新取文件'],
  [/^the trailer says so much money taken, the rows come to (\S+) yuan; .*$/, '尾行所报收款与各行之和 $1 元不符；请重新取文件'],
  [/^the trailer says so much money given back, the rows come to (\S+) yuan; .*$/, '尾行所报退款与各行之和 $1 元不符；请重新取文件'],
  [/^not the SM3 digest of the bytes before this line, which is (\w+); .*$/, 'SM3 摘要不符（实际为 $1）；文件在途中被改动，请重新取文件'],
  [/^the file ends without its trailer; .*$/, '文件没有尾行，途中被截断，请重新取文件'],
  [/^the file is empty$/, '文件是空的'],
  [/^the file does not say its accounting day; .*$/, '文件没有写明账期日；请在下方补充'],
  [/^no utility; .*$/, '没有写明类别；请在下方选择水、电或燃气'],
  [/^no channel; .*$/, '没有写明渠道；请在下方补充'],
  [/^no number of the file from 1 on; .*$/, '没有写明文件编号（从 1 起）；请在下方补充'],
  [/^neither sales nor payments; .*$/, '既不是售费也不是结算；请选择正确的格式'],
  [/^(\d+) fields, but (\d+) columns are named; .*$/, '有 $1 个字段，应为 $2 个；检查未加引号的分隔符'],
  [/^(\d+) fields, but the first row has (\d+); .*$/, '有 $1 个字段，首行为 $2 个；检查未加引号的分隔符'],
  [/^no line with the names of columns; .*$/, '没有列名行；请确认格式'],
  [/^no column has this name, from which (\w+) is taken; .*$/, '没有此列（取 $1 之用）；请检查格式'],
  [/^no column of this format has this name; .*$/, '本格式没有此列；检查拼写，或去掉此列'],
  [/^this name stands twice; .*$/, '列名重复，无法确定用哪一列'],
  [/^two answers for the (\w+) of the file, the other is "(.*)"; .*$/, '关于文件的 $1 有两种说法，另一为“$2”；请确认是否选错文件'],
  [/^the file is of another day than (\S+); .*$/, '文件不是 $1 的；请确认是否选错文件'],
  [/^stands after the trailer; .*$/, '尾行之后还有内容；可能是两份文件，请拆开'],
  [/^not in the encoding of the mapping; .*$/, '文字编码不符；请导出为 UTF-8 或 GB18030'],
  [/^a quote that does not close in this line, .*$/, '引号没有成对，或其后有多余内容；字段内不能换行'],
  [/^amount: want whole fen, not negative$/, '须为整数分，不可为负'],
  [/^amount: want nothing negative; .*$/, '不可为负，方向由种类表示'],
  [/^volume: want digits, .*$/, '须为数字；单位为 m³ 或 kWh 时最多三位小数'],
  [/^(day|due): want (?:an accounting day|the last day to pay the bill, not before its own,) in the form (.+)$/, '须为日期，形式为 $2（到期日不早于账期日）'],
  [/^due: only a bill has a due day; .*$/, '只有账单有到期日，应留空'],
  [/^(\w+): want at most (\d+) printable bytes .*$/, '最多 $2 字节可打印字符，前后无空格'],
  [/^undoes: an? (\w+) names the order that it is about$/, '$1 须写明所针对的订单'],
  [/^meter_number: want the 12 digits on the plate; .*$/, '须为铭牌上的 12 位数字；电子表格可能去掉了前导零'],
  [/^purchase: a bill has no purchase number; .*$/, '账单没有购次，应留空'],
  [/^purchase: want a purchase number from 1 on, .*$/, '须为从 1 起的购次，或 tid: 加令牌编号'],
  [/^the mapping does not say what this means for (\w+); .*$/, '格式没有说明 $1 的此值；请补入格式的取值表'],
  [/^undoes: an? (\w+) undoes nothing; .*$/, '$1 不针对任何订单，应留空'],
  [/^(\w+): (?:is )?empty.*$/, '不能为空'],
];

function said(rules: readonly Rule[], text: string, lang: Lang): string {
  if (lang === 'en') return text;
  const rule = rules.find(([match]) => match.test(text));
  return rule ? text.replace(rule[0], rule[1]) : text;
}

/** A value of a side: yuan with separators, litres as m³, watt-hours as kWh; anything else as it is. */
function value(text: string): string {
  if (/^-?\d+\.\d{2}$/.test(text)) return formatYuan(text);
  const m = /^(-?\d+) (L|Wh)$/.exec(text);
  return m ? formatVolume(Number(m[1]), m[2] === 'Wh' ? 'power' : 'water') : text;
}

/** A side or a note of a difference. */
export function toldText(text: string, lang: Lang): string {
  const side = Object.entries(SIDES).find(([word]) => text.startsWith(`${word} `) && /^-?\d/.test(text.slice(word.length + 1)));
  if (side) return `${side[1][lang === 'en' ? 1 : 0]} ${value(text.slice(side[0].length + 1))}`;
  return said(NOTES, text, lang);
}

/** What is wrong with a line of a file, and what to do. */
export function faultText(text: string, lang: Lang): string {
  return said(FAULTS, text, lang);
}
