/** DropZone: while an order is dragged, the likeliest drivers to drop it on, beside the map. */

import { el } from '../../drive/element.js';
import { choiceText, choices } from '../panel/driver-choice.js';

const SHOWN = 10;
export const ORDER_TYPE = 'text/x-order';

export class DropZone {
  /** @param {HTMLElement} container @param {import('../board.js').Board} board @param {import('../work.js').Work} work */
  constructor(container, board, work) {
    this._container = container;
    this._board = board;
    this._work = work;
  }

  /** @param {string} id of the order that is dragged */
  open(id) {
    const { words } = this._board;
    const order = this._work.fleet.orders.get(id);
    if (!order) return;
    const found = choices(this._work.fleet.drivers.values(), order, '', SHOWN);
    this._container.replaceChildren(el('p', {}, words.say('drop.how')), el('ul', {}, ...found.map((choice) => {
      const { driver } = choice;
      const target = el('li.drop', { 'data-driver': driver.id }, el('b', {}, el('bdi', {}, driver.name)), el('span', {}, choiceText(choice, words)));
      acceptOrders(target, () => driver.id, (dropped) => this._work.acts.assign(dropped, driver.id));
      return target;
    })));
    this._container.hidden = false;
  }

  close() {
    this._container.hidden = true;
    this._container.replaceChildren();
  }
}

/**
 * Let orders be dropped on an element.
 * @param {HTMLElement} target @param {(event: DragEvent) => string} driverAt the driver under the pointer; empty: none
 * @param {(order: string, driver: string) => unknown} onDrop
 */
export function acceptOrders(target, driverAt, onDrop) {
  target.addEventListener('dragover', (event) => {
    const isOver = Boolean(event.dataTransfer?.types.includes(ORDER_TYPE) && driverAt(event));
    target.toggleAttribute('data-over', isOver);
    if (isOver) event.preventDefault();
  });
  target.addEventListener('dragleave', () => target.removeAttribute('data-over'));
  target.addEventListener('drop', (event) => {
    target.removeAttribute('data-over');
    const order = event.dataTransfer?.getData(ORDER_TYPE);
    const driver = driverAt(event);
    if (!order || !driver) return;
    event.preventDefault();
    onDrop(order, driver);
  });
}
