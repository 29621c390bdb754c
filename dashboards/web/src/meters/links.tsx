// Links inside these pages: an address that can be copied, and no reload.

import type { Route } from './route.ts';
import { formatRoute } from './route.ts';
import { go } from './state.ts';

export function follow(to: Route): { href: string; onClick: (e: MouseEvent) => void } {
  return {
    href: formatRoute(to),
    onClick: (e) => {
      if (e.ctrlKey || e.metaKey || e.shiftKey) return;
      e.preventDefault();
      go(to);
    },
  };
}
