/** ActButtons: buttons of what may be done with an order. */

import { el } from '../../drive/element.js';
import { actsOf } from './acts-of.js';

/** @typedef {import('./acts-of.js').Act} Act */

/**
 * @param {string} status @param {import('../../drive/translations.js').Translations} words
 * @param {(act: Act, opener: HTMLElement) => unknown} onAct
 * @returns {HTMLElement[]} the first one stands out
 */
export function actButtons(status, words, onAct) {
  return actsOf(status).map((act, i) => {
    const kind = i === 0 ? 'button.primary' : act.asks ? 'button.danger' : 'button';
    const button = el(kind, { type: 'button', 'data-act': act.name, 'data-focus': `act-${act.name}` }, words.say(`act.${act.name}`));
    button.addEventListener('click', () => onAct(act, button));
    return button;
  });
}
