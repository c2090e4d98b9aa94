/** KeyedRows: rows that stay the same elements while what they say changes, so that clicks and the focus are not lost. */

import { renew } from '../../drive/element.js';

/** @typedef {{id: string}} Keyed */
/** @typedef {import('../../drive/element.js').Child} Child */

/** @template {Keyed} M what a row says */
export class KeyedRows {
  /** @param {(id: string) => HTMLElement} make a list item with a `.row` @param {(model: M) => Child[]} fill its parts */
  constructor(make, fill) {
    this._make = make;
    this._fill = fill;
    /** @type {Map<string, HTMLElement>} */ this._items = new Map();
    /** @type {Set<string>} */ this._drawn = new Set();
  }

  /** @param {string} id @returns {HTMLElement|null} */
  row(id) {
    return this._items.get(id)?.querySelector('.row') ?? null;
  }

  /** Put rows into a list, in this sequence. @param {HTMLElement} list @param {M[]} models */
  draw(list, models) {
    models.forEach((model, i) => {
      let item = this._items.get(model.id);
      if (!item) this._items.set(model.id, item = this._make(model.id));
      this._drawn.add(model.id);
      renew(/** @type {HTMLElement} */ (item.querySelector('.row')), model, () => this._fill(model));
      if (list.children[i] !== item) list.insertBefore(item, list.children[i] ?? null);
    });
    while (list.children.length > models.length) list.lastElementChild?.remove();
  }

  /** All lists are drawn: forget the rows that are in none. */
  finish() {
    for (const id of this._items.keys()) if (!this._drawn.has(id)) this._items.delete(id);
    this._drawn.clear();
  }
}
