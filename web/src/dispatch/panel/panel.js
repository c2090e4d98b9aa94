/** Panel: the selected order or driver. */

import { el, icon } from '../../drive/element.js';
import { DriverPanel } from './driver-panel.js';
import { OrderPanel } from './order-panel.js';

/** @typedef {import('../work.js').Selection} Selection */

export class Panel {
  /** @param {HTMLElement} container @param {import('../board.js').Board} board @param {import('../work.js').Work} work */
  constructor(container, board, work) {
    this._container = container;
    this._board = board;
    this._work = work;
    /** @type {OrderPanel|DriverPanel|null} */ this._shown = null;
    this._id = '';
    this._title = el('h2', { id: 'panel-title', tabindex: -1 });
    this._body = el('div');
    const close = el('button.plain.round', { type: 'button', 'aria-label': board.words.say('close'), onclick: () => work.deselect() }, icon('close'));
    container.replaceChildren(el('div.panel-top', {}, this._title, close), this._body);
    container.hidden = true;
  }

  close() {
    this._shown?.close();
    this._container.hidden = true;
    this._container.replaceChildren();
  }

  /** @param {Selection} selection */
  show({ kind, id }) {
    if (id === this._id) return this.draw();
    this._shown?.close();
    this._id = id;
    const Kind = kind === 'order' ? OrderPanel : DriverPanel;
    this._shown = kind ? new Kind(this._board, this._work, id) : null;
    this._container.hidden = !kind;
    this._body.replaceChildren(...(this._shown ? [this._shown.element] : []));
    this.draw();
    this._container.scrollTop = 0;
    if (kind) this._title.focus({ preventScroll: true });
  }

  draw() {
    if (!this._shown) return;
    const { title } = this._shown;
    if (this._title.textContent !== title) this._title.textContent = title;
    this._shown.draw();
  }
}
