/** DriverList: all drivers, the silent ones first, then those who work. */

import { el, renew } from '../../drive/element.js';
import { DUTIES } from '../fleet/duties.js';
import { byDuty, driverRow } from './driver-row.js';
import { KeyedRows } from './keyed-rows.js';
import { moveFocus } from './row-keys.js';

/** @typedef {import('../fleet/duties.js').Duty} Duty */

const ROWS = 60; // of a group; the search finds the others

export class DriverList {
  /** @param {HTMLElement} container @param {import('../board.js').Board} board @param {import('../work.js').Work} work */
  constructor(container, board, work) {
    this._board = board;
    this._work = work;
    this._container = container;
    this._selected = '';
    /** @type {Map<Duty, HTMLElement>} */ this._lists = new Map();
    /** @type {KeyedRows<ReturnType<typeof driverRow>>} */ this._rows = new KeyedRows((id) => this._newRow(id), rowParts);
    this._field = /** @type {HTMLInputElement} */ (el('input', {
      type: 'search', id: 'search-drivers', autocomplete: 'off', spellcheck: 'false', placeholder: board.words.say('drivers.search'),
      'aria-label': board.words.say('drivers.search'), oninput: () => this.draw(),
    }));
    this._none = el('p.none', {});
    this._groups = el('div.groups', { onkeydown: (/** @type {KeyboardEvent} */ event) => moveFocus(event, this._groups, '.row') });
    container.replaceChildren(el('h2.unseen', {}, board.words.say('drivers.title')), this._field, this._none, this._groups);
  }

  close() {
    this._container.replaceChildren();
  }

  /** @param {import('../work.js').Selection} selection */
  select({ kind, id }) {
    this._rows.row(this._selected)?.removeAttribute('aria-current');
    this._selected = kind === 'driver' ? id : '';
    this._rows.row(this._selected)?.setAttribute('aria-current', 'true');
  }

  /** @param {string} id of a driver @returns {boolean} */
  focus(id) {
    const row = this._rows.row(id);
    row?.focus();
    return row !== null;
  }

  draw() {
    if (this._work.listed !== 'drivers') return; // nobody sees it
    const { words } = this._board;
    const { fleet } = this._work;
    const groups = byDuty(fleet.drivers.values(), this._field.value);
    const shown = DUTIES.filter((duty) => groups[duty].length);
    this._none.hidden = shown.length > 0;
    this._none.textContent = words.say(fleet.drivers.size ? 'drivers.nothing' : fleet.complete ? 'drivers.empty' : 'list.loading');
    renew(this._groups, shown, () => shown.map((duty) => this._section(duty)));
    for (const duty of shown) this._drawGroup(duty, groups[duty]);
    this._rows.finish();
    const rows = /** @type {HTMLElement[]} */ ([...this._groups.querySelectorAll('.row')]);
    if (!rows.some((row) => row.tabIndex === 0)) rows[0]?.setAttribute('tabindex', '0');
  }

  /** @param {Duty} duty */
  _section(duty) {
    const list = el('ul', {});
    this._lists.set(duty, list);
    return el('section.group', { 'data-group': duty, 'aria-labelledby': `duty-${duty}` },
      el('h3', {}, el('span', { id: `duty-${duty}` }, this._board.words.say(`duty.${duty}`)), ' ', el('span.count', {})), list, el('p.quiet', {}));
  }

  /** @param {Duty} duty @param {import('../../../types/fleet.js').FleetDriver[]} drivers */
  _drawGroup(duty, drivers) {
    const { words } = this._board;
    const list = /** @type {HTMLElement} */ (this._lists.get(duty));
    const shown = drivers.slice(0, ROWS);
    this._rows.draw(list, shown.map((driver) => driverRow(driver, words, this._work.now)));
    const [count, more] = [list.previousElementSibling?.lastElementChild, list.nextElementSibling];
    if (count) count.textContent = words.number(drivers.length);
    if (more) more.textContent = drivers.length > shown.length ? words.say('drivers.more', { count: drivers.length - shown.length }) : '';
  }

  /** @param {string} id */
  _newRow(id) {
    return el('li', { 'data-driver': id }, el('button.row', {
      type: 'button', tabindex: -1, 'aria-current': id === this._selected && 'true', onclick: () => this._work.select('driver', id),
    }));
  }
}

/** @param {ReturnType<typeof driverRow>} row */
function rowParts({ name, duty, seen, orders, silence, battery }) {
  return [
    el('span.line', {}, el('b', {}, el('bdi', {}, name)), el('span.dot', { 'data-duty': duty })),
    el('span.line', {}, el('span.by', {}, orders), el('span.state', {}, seen)),
    (silence || battery) && el('span.risks', {}, silence && el('span.risk', { 'data-risk': 'silent' }, silence), battery && el('span.risk', {}, battery)),
  ];
}
