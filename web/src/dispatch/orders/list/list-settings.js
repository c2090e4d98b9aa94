/** ListSettings: how a list is read, and what all of its orders have in common. */

import { el } from '../../../drive/element.js';
import { proofField } from '../proof-field.js';
import { StopField } from '../stop-field.js';
import { stopOf, requirementsOf } from '../order-draft.js';
import { FIELDS } from './columns.js';
import { SHAPES } from './table.js';
import { dayAt, isMonthFirst } from './times.js';

/** @typedef {import('./columns.js').Field} Field */
/** @typedef {import('./table.js').Table} Table */

export class ListSettings {
  /**
   * @param {import('../../board.js').Board} board
   * @param {{onShape: (wanted: {shape?: import('./table.js').Shape, header?: boolean}) => void, onReading: () => void, onPickup: () => void}} hooks
   */
  constructor(board, hooks) {
    this._board = board;
    this._hooks = hooks;
    const say = (/** @type {string} */ name) => board.words.say(name);
    /** @type {Table|null} */ this.table = null;
    this.pickup = new StopField(board, 'import-pickup', say('new.pickup'), { near: () => this.pickup.place, onPlace: () => hooks.onPickup() });
    this._shape = /** @type {HTMLSelectElement} */ (el('select', { id: 'import-shape', onchange: () => this._reshape() },
      ...SHAPES.map((shape) => el('option', { value: shape }, say(`shape.${shape === '\t' ? 'tab' : shape}`)))));
    this._header = /** @type {HTMLInputElement} */ (el('input', { type: 'checkbox', onchange: () => this._reshape() }));
    this._columns = el('div.columns');
    this._day = /** @type {HTMLInputElement} */ (el('input', { id: 'import-day', type: 'date', value: localDate(new Date()), onchange: () => hooks.onReading() }));
    this._town = /** @type {HTMLInputElement} */ (el('input', { id: 'import-town', autocomplete: 'off', onchange: () => hooks.onReading() }));
    this._proofs = proofField(say);
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    this.element = el('div.settings', {}, this.pickup.element,
      el('details', {}, el('summary', {}, say('import.settings')), el('div.more', {},
        el('div.pair', {}, labelled('import-shape', say('import.shape'), this._shape), el('label.check', {}, this._header, say('import.header'))),
        this._columns,
        el('div.pair', {}, labelled('import-day', say('import.day'), this._day), labelled('import-town', say('import.town'), this._town)),
        el('p.quiet', {}, board.words.say('import.zone', { zone })), this._proofs)));
  }

  /** @param {Table} table */
  show(table) {
    this.table = table;
    this._shape.value = table.shape;
    this._header.checked = Boolean(table.header);
    this._drawColumns();
  }

  /** @returns {import('./rows.js').Reading} */
  get reading() {
    const now = new Date();
    const day = dayAt(this._day.value ? new Date(`${this._day.value}T00:00`) : now);
    return { day, today: dayAt(now), now: now.getTime(), monthFirst: isMonthFirst(this._board.words.locale), town: this._town.value.trim() };
  }

  /** What each order of the list has. @returns {{pickup: object, requirements?: object}} */
  get common() {
    const proofs = [...this._proofs.querySelectorAll('input:checked')].map((box) => /** @type {HTMLInputElement} */ (box).value);
    return { pickup: stopOf(this.pickup.stop, true), ...(proofs.length ? { requirements: requirementsOf(proofs) } : {}) };
  }

  /** Whether the map knows where the orders are picked up; if not, say so there. Rejects with a Problem. */
  async hasPickup() {
    const { text } = this.pickup.stop;
    if (this.pickup.place) return true;
    const { items } = text ? await this._board.api.post('v1/geocode', { addresses: [text] }) : { items: [] };
    const [meaning] = items;
    if (meaning?.place) return true;
    const why = meaning?.candidates.length ? 'new.choose' : text ? 'new.unknown' : 'import.no_pickup';
    this.pickup.refuse(this._board.words.say(why), meaning?.candidates ?? []);
    return false;
  }

  _reshape() {
    this._hooks.onShape({ shape: /** @type {import('./table.js').Shape} */ (this._shape.value), header: this._header.checked });
  }

  _drawColumns() {
    const { table, _board: { words } } = this;
    if (!table) return;
    this._columns.hidden = table.shape === 'lines';
    this._columns.replaceChildren(...table.columns.map((field, n) => {
      const id = `import-column-${n}`;
      const sample = table.rows.find((row) => row[n])?.[n] ?? '';
      const select = /** @type {HTMLSelectElement} */ (el('select', { id, onchange: () => this._mean(n, select.value) },
        el('option', { value: '' }, words.say('import.ignored')), ...FIELDS.map((each) => el('option', { value: each }, words.say(`field.${each}`)))));
      select.value = field ?? '';
      const name = table.header?.[n] || words.say('import.column', { n: n + 1 });
      return el('div.field', {}, el('label', { for: id }, el('bdi', {}, name)), select, el('small.quiet', {}, el('bdi', {}, sample.slice(0, 40))));
    }));
  }

  /** @param {number} n @param {string} field */
  _mean(n, field) {
    const { table } = this;
    if (!table) return;
    table.columns = table.columns.map((each, column) => (column === n ? /** @type {Field|null} */ (field || null) : each === field ? null : each));
    this._drawColumns();
    document.getElementById(`import-column-${n}`)?.focus();
    this._hooks.onReading();
  }
}

/** @param {string} id @param {string} label @param {HTMLElement} field */
function labelled(id, label, field) {
  return el('div.field', {}, el('label', { for: id }, label), field);
}

/** @param {Date} date @returns {string} */
function localDate(date) {
  const { year, month, day } = dayAt(date);
  return `${year}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`;
}
