/** Sheet: a dialog at the bottom of the screen, where a thumb reaches it. */

import { el, icon } from './element.js';

/** @typedef {import('./element.js').Child} Child */
/** @typedef {import('./translations.js').Translations} Translations */

let count = 0;

/**
 * Open a sheet. The browser keeps the focus inside and gives it back afterwards.
 * @param {Translations} words @param {string} title @param {...Child} children
 * @returns {HTMLDialogElement} which removes itself when it is closed
 */
export function openSheet(words, title, ...children) {
  const id = `sheet-${++count}`;
  const opener = document.activeElement;
  const sheet = /** @type {HTMLDialogElement} */ (el('dialog.sheet', { 'aria-labelledby': id },
    el('div.sheet-top', {},
      el('h2', { id, tabindex: -1 }, title),
      el('button.plain.round', { type: 'button', 'aria-label': words.say('close'), onclick: () => sheet.close() }, icon('close'))),
    ...children));
  sheet.addEventListener('close', () => {
    sheet.remove();
    if (opener instanceof HTMLElement && !opener.isConnected) successor(opener)?.focus();
  });
  sheet.addEventListener('click', (event) => event.target === sheet && sheet.close());
  document.body.append(sheet);
  sheet.showModal();
  return sheet;
}

/** What has replaced an element that was drawn anew meanwhile. @param {HTMLElement} gone @returns {HTMLElement|null} */
function successor(gone) {
  const { focus = '', focusIn = '' } = gone.dataset;
  const place = focusIn && document.querySelector(`[data-order="${CSS.escape(focusIn)}"]`);
  return (place || document).querySelector(`[data-focus="${CSS.escape(focus)}"]`);
}

/**
 * Ask before something that cannot be undone.
 * @param {Translations} words @param {{title: string, text: string, yes: string}} question @param {() => unknown} act
 * @param {'danger'|'primary'} [kind] of its button
 */
export function confirmSheet(words, { title, text, yes }, act, kind = 'danger') {
  const agree = () => {
    sheet.close();
    act();
  };
  const sheet = openSheet(words, title, el('p', {}, text), el(`button.${kind}`, { type: 'button', onclick: agree }, yes));
}
