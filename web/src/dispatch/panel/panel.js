/** Panel: the selected order or driver. */

import { el, icon, renew } from '../../drive/element.js';
import { orderFacts } from './order-facts.js';
import { driverFacts } from './driver-facts.js';

/** @typedef {import('../work.js').Selection} Selection */

export class Panel {
  /** @param {HTMLElement} container @param {import('../board.js').Board} board @param {import('../work.js').Work} work */
  constructor(container, board, work) {
    this._container = container;
    this._board = board;
    this._work = work;
    /** @type {Selection} */ this._selection = { kind: '', id: '' };
    this._title = el('h2', { id: 'panel-title', tabindex: -1 });
    this._body = el('div.facts');
    const close = el('button.plain.round', { type: 'button', 'aria-label': board.words.say('close'), onclick: () => work.deselect() }, icon('close'));
    container.replaceChildren(el('div.panel-top', {}, this._title, close), this._body);
    container.hidden = true;
  }

  close() {
    this._container.hidden = true;
    this._container.replaceChildren();
  }

  /** @param {Selection} selection */
  show(selection) {
    const isNew = selection.id !== this._selection.id;
    this._selection = selection;
    this._container.hidden = !selection.kind;
    if (!selection.kind) return;
    this._draw();
    if (isNew) this._title.focus({ preventScroll: true });
  }

  /** @param {import('../../../types/fleet.js').Change} _change */
  update(_change) {
    if (this._selection.kind) this._draw();
  }

  _draw() {
    const { kind, id } = this._selection;
    const { words } = this._board;
    const { title, facts } = kind === 'order' ? orderFacts(id, this._work, words) : driverFacts(id, this._work, words);
    if (this._title.textContent !== title) this._title.textContent = title;
    renew(this._body, facts, () => [factList(facts)]);
  }
}

/** @param {[string, string][]} facts */
function factList(facts) {
  return el('dl', {}, ...facts.map(([name, value]) => el('div', {}, el('dt', {}, name), el('dd', {}, el('bdi', {}, value)))));
}
