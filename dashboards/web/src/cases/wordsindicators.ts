// The names of the indicators (docs/indicators.md).

import { dictionary } from '../shared/words.ts';

const zh = {
  'ratio.valid_reports': '有效上报率', 'ratio.missed_reports': '漏报率', 'ratio.public_reports': '监督举报率', 'ratio.on_time_send_verify': '按时发核实率', 'ratio.on_time_verify': '按时核实率',
  'ratio.on_time_accept': '按时受理率', 'ratio.on_time_file': '按时立案率', 'ratio.accurate_file': '准确立案率', 'ratio.on_time_dispatch': '按时派遣率', 'ratio.accurate_dispatch': '准确派遣率',
  'ratio.on_time_handle': '按期处置率', 'ratio.on_time_send_check': '按时发核查率', 'ratio.on_time_check': '按时核查率', 'ratio.closing': '结案率', 'ratio.on_time_closing': '按期结案率', 'ratio.reworked': '返工率',
  'n.reports': '上报数', 'n.accepts': '受理数', 'n.filed': '立案数', 'n.dispatches': '派遣数', 'n.handled': '处置数', 'n.verifies': '核实数', 'n.checks': '核查数', 'n.closed': '结案数', 'n.rejected': '不予受理数',
  'n.voided': '作废数', 'n.returns': '回退数', 'n.extensions': '延期数', 'n.suspensions': '挂账数', 'n.many_reworks': '多次返工数', 'n.overdue': '超期数', 'n.overrun_twice': '超时一倍以上数', 'n.open': '积存数',
};

const en: Record<keyof typeof zh, string> = {
  'ratio.valid_reports': 'Valid reports', 'ratio.missed_reports': 'Missed reports', 'ratio.public_reports': 'Public reports', 'ratio.on_time_send_verify': 'Sent to verify on time', 'ratio.on_time_verify': 'Verified on time',
  'ratio.on_time_accept': 'Accepted on time', 'ratio.on_time_file': 'Filed on time', 'ratio.accurate_file': 'Filed accurately', 'ratio.on_time_dispatch': 'Dispatched on time', 'ratio.accurate_dispatch': 'Dispatched accurately',
  'ratio.on_time_handle': 'Repaired on time', 'ratio.on_time_send_check': 'Sent to check on time', 'ratio.on_time_check': 'Checked on time', 'ratio.closing': 'Closed', 'ratio.on_time_closing': 'Closed on time', 'ratio.reworked': 'Sent back',
  'n.reports': 'Reports', 'n.accepts': 'Accepted', 'n.filed': 'Filed', 'n.dispatches': 'Dispatches', 'n.handled': 'Repairs', 'n.verifies': 'Verifications', 'n.checks': 'Checks', 'n.closed': 'Closed', 'n.rejected': 'Rejected',
  'n.voided': 'Voided', 'n.returns': 'Returns', 'n.extensions': 'Extensions', 'n.suspensions': 'Suspensions', 'n.many_reworks': 'Sent back twice', 'n.overdue': 'Overdue', 'n.overrun_twice': 'Twice the limit', 'n.open': 'Open now',
};

/** word('ratio', name) and word('n', name). */
export const indicatorWords = dictionary(zh, en);

/** The ratios and the counts, in the order of the page of the indicators. */
export const RATIOS = Object.keys(zh).filter((k) => k.startsWith('ratio.')).map((k) => k.slice(6));
export const COUNTS = Object.keys(zh).filter((k) => k.startsWith('n.')).map((k) => k.slice(2));
