// The words of this page. {x} in a text is filled in by t(); {n|row|rows} is its word for
// one, or for any other number.

import { dictionary, lang } from '../shared/words.ts';
import { actOf } from './wordsact.ts';
import { classes } from './wordsclass.ts';
import { faultText, toldText } from './wordshub.ts';
import { en } from './wordsen.ts';
import { enLists, zhLists } from './wordslists.ts';
import { enNext, zhNext } from './wordsnext.ts';
import { plural } from './wordsplural.ts';
import { zh } from './wordszh.ts';

const own = dictionary({ ...zh, ...zhLists, ...zhNext }, { ...en, ...enLists, ...enNext });

/** The text of key in the language of the page. */
export const t: typeof own.t = (key, fill) => plural(own.t(key, fill), fill);

/** The texts of the page, and what the hub says in the language of the page. */
export const words = {
  ...own,
  t,
  in: ((l, key, fill) => plural(own.in(l, key, fill), fill)) as typeof own.in,
  /** What the hub tells in a difference: sides and notes. */
  tell: (text: string): string => toldText(text, lang.value),
  /** What a difference of class asks for, and whether its note is a finding beside that. */
  act: (note: string, code: string): { act: string; found: boolean } => actOf(note, classText(code).look, lang.value),
  /** What is wrong with a line of a file. */
  fault: (text: string): string => faultText(text, lang.value),
};

/** The name of a class of differences. */
export function className(code: string): string {
  return classes.word('name', code);
}

/** What the rule of a class says. */
export function classText(code: string): { when: string; amount: string; clears: string; look: string } {
  return { when: classes.word('when', code), amount: classes.word('amount', code), clears: classes.word('clears', code), look: classes.word('look', code) };
}
