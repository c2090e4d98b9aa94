/** FactList: names and values, as a list. */

import { el } from '../../drive/element.js';

/** @param {[string, string][]} facts @returns {HTMLElement} */
export function factList(facts) {
  return el('dl', {}, ...facts.map(([name, value]) => el('div', {}, el('dt', {}, name), el('dd', {}, el('bdi', {}, value)))));
}
