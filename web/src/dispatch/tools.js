/**
 * Tools: the buttons of the board's toolbar.
 *
 * The contract: a tool is `{name, icon, scope, open(board, opener)}`. Its button has the text `tool.<name>` and an icon
 * of dispatch.html, is shown to keys with the scope, and calls `open`. The board offers `words`, `api`, `fleet`,
 * `service`, `dark`, `sheet(title, ...children)` (a modal dialog that gives the focus back), `announce(text)`,
 * `select(kind, id)` and `lookAt([[lon, lat], …])`.
 * Texts of a part lie in `web/messages/dispatch/<part>/<language>.json`, its style in `web/style/dispatch/<part>.css`.
 */

import { openImport } from './orders/list/import-flow.js';
import { openOrderForm } from './orders/order-form.js';

/** @typedef {import('./board.js').Board} Board */
/** @typedef {'read'|'orders'|'admin'} Scope */
/** @typedef {{name: string, icon: string, scope: Scope, open: (board: Board, opener: HTMLElement) => unknown}} Tool */

/** @type {readonly Tool[]} */
export const TOOLS = [
  { name: 'order', icon: 'plus', scope: 'orders', open: (board) => openOrderForm(board) },
  { name: 'import', icon: 'import', scope: 'orders', open: (board) => openImport(board) },
  { name: 'logout', icon: 'logout', scope: 'read', open: (board) => board.logOut() },
];

/** @param {readonly string[]} scopes of the session @returns {Tool[]} */
export function toolsFor(scopes) {
  return TOOLS.filter((tool) => scopes.includes(tool.scope));
}
