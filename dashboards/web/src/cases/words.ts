// The words of this page in both languages.

import { dictionary } from '../shared/words.ts';
import { en } from './wordsen.ts';
import { zh } from './wordszh.ts';

export const words = dictionary(zh, en);
export const { t } = words;
