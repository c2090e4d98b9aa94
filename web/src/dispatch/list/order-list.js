/** OrderList: the open orders, at risk first, with search and filter. Arrow keys move between rows. */

import { el, renew } from '../../drive/element.js';
import { GROUPS, grouped } from '../fleet/risks.js';
import { KeyedRows } from './keyed-rows.js';
import { ORDER_TYPE } from './drop-zone.js';
import { orderRow } from './order-row.js';
import { moveFocus } from './row-keys.js';

/** @typedef {import('../fleet/risks.js').Group} Group */
/** @typedef {import('../../../types/fleet.js').FleetOrder} FleetOrder */

const ROWS = 50; // of a group, until more are asked for
const SEARCH_AFTER = 150; // milliseconds after the last key

export class OrderList {
  /** @param {HTMLElement} container @param {import('../board.js').Board} board @param {import('../work.js').Work} work */
  constructor(container, board, work) {
    this._board = board;
    this._work = work;
    this._text = '';
    /** @type {Group|''} */ this._filter = '';
    /** @type {Record<string, number>} */ this._limits = {};
    /** @type {KeyedRows<import('./order-row.js').Row>} */ this._rows = new KeyedRows((id) => this._newRow(id), rowParts);
    /** @type {Map<string, HTMLElement>} */ this._lists = new Map();
    this._selected = '';
    /** @type {ReturnType<typeof setTimeout>|undefined} */ this._searching = undefined;
    this._field = /** @type {HTMLInputElement} */ (el('input', {
      type: 'search', id: 'search', autocomplete: 'off', spellcheck: 'false', enterkeyhint: 'search',
      placeholder: board.words.say('list.search'), 'aria-label': board.words.say('list.search'), oninput: () => this._search(),
    }));
    this._chips = el('div.chips', { role: 'group', 'aria-label': board.words.say('list.filter') });
    this._none = el('p.none', { hidden: true });
    this._groups = el('div.groups', { onkeydown: (/** @type {KeyboardEvent} */ event) => moveFocus(event, this._groups, '.row') });
    container.replaceChildren(el('h2.unseen', {}, board.words.say('list.title')), this._field, this._chips, this._none, this._groups);
    this._container = container;
    this.draw();
  }

  close() {
    clearTimeout(this._searching);
    this._container.replaceChildren();
  }

  /** Put the cursor into the search. */
  search() {
    this._field.focus();
    this._field.select();
  }

  /** @param {import('../../../types/fleet.js').Change} change */
  update(change) {
    if (change.whole || change.orders.size || change.drivers.size) this.draw();
  }

  /** @param {import('../work.js').Selection} selection */
  select({ kind, id }) {
    this._rows.row(this._selected)?.removeAttribute('aria-current');
    this._selected = kind === 'order' ? id : '';
    this._rows.row(this._selected)?.setAttribute('aria-current', 'true');
  }

  /** @param {string} id of an order */
  focus(id) {
    (this._rows.row(id) ?? this._field).focus();
  }

  _search() {
    clearTimeout(this._searching);
    this._searching = setTimeout(() => {
      this._text = this._field.value;
      this.draw();
    }, SEARCH_AFTER);
  }

  draw() {
    const { fleet, board: { words } } = this._work;
    const groups = grouped(fleet.orders.values(), this._text, (id) => fleet.driver(id));
    const shown = GROUPS.filter((name) => groups[name].length && (!this._filter || name === this._filter));
    this._drawChips(groups);
    const none = !fleet.complete ? 'list.loading' : fleet.orders.size ? 'list.nothing' : 'list.empty';
    this._none.textContent = words.say(none);
    this._none.hidden = shown.length > 0;
    renew(this._groups, shown, () => shown.map((name) => this._section(name)));
    for (const name of shown) this._drawGroup(name, groups[name]);
    this._rows.finish();
    this._keepTabStop();
  }

  /** @param {Record<Group, FleetOrder[]>} groups */
  _drawChips(groups) {
    const { words } = this._board;
    const all = GROUPS.reduce((sum, name) => sum + groups[name].length, 0);
    const counts = /** @type {[Group|'', number][]} */ ([['', all], ...GROUPS.map((name) => [name, groups[name].length])]);
    renew(this._chips, [counts, this._filter], () => counts.map(([name, count]) => el('button.chip', {
      type: 'button', 'data-focus': `chip-${name}`, 'data-group': name || 'all', 'aria-pressed': String(name === this._filter),
      onclick: () => this._choose(name),
    }, words.say(`group.${name || 'all'}`), el('span.count', {}, words.number(count)))));
  }

  /** @param {Group|''} name */
  _choose(name) {
    this._filter = name;
    this.draw();
  }

  /** @param {Group} name */
  _section(name) {
    const list = el('ul', {});
    this._lists.set(name, list);
    return el('section.group', { 'data-group': name, 'aria-labelledby': `group-${name}` },
      el('h3', { id: `group-${name}` }, this._board.words.say(`group.${name}`)), list,
      el('button.plain.more', { type: 'button', onclick: () => this._more(name) }));
  }

  /** @param {Group} name */
  _more(name) {
    this._limits[name] = (this._limits[name] ?? ROWS) + ROWS;
    this.draw();
  }

  /** @param {Group} name @param {FleetOrder[]} orders */
  _drawGroup(name, orders) {
    const list = /** @type {HTMLElement} */ (this._lists.get(name));
    const { fleet, now, board: { words } } = this._work;
    const shown = orders.slice(0, this._limits[name] ?? ROWS);
    this._rows.draw(list, shown.map((order) => orderRow(order, fleet.driver(order.driver_id), words, now)));
    const more = /** @type {HTMLElement} */ (list.nextElementSibling);
    more.hidden = shown.length === orders.length;
    more.textContent = this._board.words.say('list.more', { count: orders.length - shown.length });
  }

  /** @param {string} id */
  _newRow(id) {
    return el('li', { 'data-order': id }, el('button.row', {
      type: 'button', tabindex: -1, draggable: this._board.mayChange && 'true', 'aria-current': id === this._selected && 'true',
      onclick: () => this._work.select('order', id),
      ondragstart: (/** @type {DragEvent} */ event) => this._drag(event, id), ondragend: () => this._work.drop.close(),
    }));
  }

  /** @param {DragEvent} event @param {string} id */
  _drag(event, id) {
    event.dataTransfer?.setData(ORDER_TYPE, id);
    setTimeout(() => this._work.drop.open(id)); // a page that changes while a drag begins ends it
  }

  /** One row is in the tab order; arrow keys reach the others. */
  _keepTabStop() {
    const rows = [...this._groups.querySelectorAll('.row')];
    if (!rows.some((row) => /** @type {HTMLElement} */ (row).tabIndex === 0)) rows[0]?.setAttribute('tabindex', '0');
  }
}

/** @param {import('./order-row.js').Row} row */
function rowParts({ name, place, status, who, when, risks }) {
  return [
    el('span.line', {}, el('b', {}, el('bdi', {}, name)), el('span.when', {}, when)),
    el('span.line', {}, el('bdi.to', {}, place)),
    el('span.line', {}, el('bdi.by', {}, who), el('span.state', {}, status)),
    risks.length > 0 && el('span.risks', {}, ...risks.map(({ kind, text }) => el('span.risk', { 'data-risk': kind }, text))),
  ];
}
