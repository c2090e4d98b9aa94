/** RowKeys: arrow keys, Home and End move the focus between rows, one of which is in the tab order. */

const STEPS = /** @type {Partial<Record<string, (at: number, last: number) => number>>} */ ({
  ArrowDown: (at, last) => Math.min(last, at + 1), ArrowUp: (at) => Math.max(0, at - 1), Home: () => 0, End: (_, last) => last,
});

/** @param {string} key @param {number} at the row with the focus @param {number} count of rows @returns {number} the row to go to; -1: none */
export function rowAfter(key, at, count) {
  const step = STEPS[key];
  return step && at >= 0 ? step(at, count - 1) : -1;
}

/** @param {KeyboardEvent} event @param {HTMLElement} list @param {string} selector of its rows */
export function moveFocus(event, list, selector) {
  const rows = /** @type {HTMLElement[]} */ ([...list.querySelectorAll(selector)]);
  const at = rows.indexOf(/** @type {HTMLElement} */ (event.target));
  const next = rows[rowAfter(event.key, at, rows.length)];
  if (!next) return;
  event.preventDefault();
  for (const row of rows) if (row.tabIndex === 0) row.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}
