/** Copy a text, or show it to be copied by hand where the browser forbids it, as over plain http. */

import { el } from '../../drive/element.js';

/** @param {import('../board.js').Board} board @param {string} text */
export async function copyText(board, text) {
  const { words } = board;
  try {
    await navigator.clipboard.writeText(text);
    board.announce(words.say('link.copied'));
  } catch {
    const field = /** @type {HTMLTextAreaElement} */ (el('textarea', { readonly: true, 'aria-label': words.say('link.copy'), onfocus: () => field.select() }, text));
    board.sheet(words.say('link.copy'), field);
  }
}
