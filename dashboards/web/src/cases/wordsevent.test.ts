import { expect, test } from 'vitest';
import { eventText } from './wordsevent.ts';

test('what a sensor says is told in Chinese, with what it is about; the rest stays', () => {
  const said = 'the flow has been above the limit for 2s (X-water_meter-000042, meter W-000042)';
  expect(eventText(said, 'zh-CN')).toBe('流量持续超过限值 2s（X-water_meter-000042，表计 W-000042）');
  expect(eventText(said, 'en')).toBe(said);
  expect(eventText('the battery is low', 'zh-CN')).toBe('电池电量低');
  expect(eventText('the battery is low (X-1)', 'zh-CN')).toBe('电池电量低（X-1）');
  expect(eventText('0.250 m3 ran back in 5 min (X-1, meter W-1)', 'zh-CN')).toBe('5 min内倒流 0.250 m³（X-1，表计 W-1）');
  expect(eventText('the cover is tilted (X-1)\nCase 20261123000026 about it was closed, and it has not cleared since.', 'zh-CN')).toBe('井盖倾斜（X-1）\n案卷 20261123000026 已结案，此后一直未恢复。');
  expect(eventText('井盖破损 (路口)', 'zh-CN')).toBe('井盖破损 (路口)');
});
