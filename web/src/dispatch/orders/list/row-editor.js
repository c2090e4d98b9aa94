/** RowEditor: one row of a list, corrected in place: its texts, its place, and whether it is taken. */

import { el, renew } from '../../../drive/element.js';
import { placeOf, problemsOf } from './import-list.js';

/** @typedef {import('./import-list.js').Row} Row */
/** @typedef {import('./columns.js').Field} Field */
/** @typedef {import('./import-list.js').Found} Found */
/** @typedef {{list: import('./import-list.js').ImportList, words: import('../../../translations.js').Translations, onEdit: (row: Row) => void, onByHand: (row: Row) => void, onDone: (row: Row) => void}} Editing */

/** @type {readonly Field[]} */
const ALWAYS = ['address', 'name', 'phone'];
/** @type {readonly Field[]} */
const PARTS = ['street', 'number', 'postcode', 'city'];

export class RowEditor {
  /** @param {Row} row @param {Editing} editing */
  constructor(row, editing) {
    const { words, list, onDone, onByHand } = editing;
    this.row = row;
    this._editing = editing;
    this._problems = el('div');
    this._choices = el('div.choices', { role: 'group', 'aria-label': words.say('import.choices') });
    this._fields = new Map(fieldsOf(row, list.columns).map((field) => [field, this._input(field)]));
    this._done = el('button', { type: 'button', onclick: () => onDone(row), 'data-focus': 'done' }, words.say('import.done'));
    this.element = el('div.editor', { role: 'group', 'aria-label': words.say('import.editing', { n: row.number }) },
      this._problems, this._choices,
      el('div.fields', {}, ...[...this._fields].map(([field, input]) => el('div.field', {}, el('label', { for: input.id }, words.say(`field.${field}`)), input))),
      el('div.buttons', {}, this._done,
        el('button.plain', { type: 'button', onclick: () => onByHand(row) }, words.say('import.by_hand')),
        el('button.plain', { type: 'button', onclick: () => this._leave() }, words.say(row.leftOut ? 'import.take_in' : 'import.leave_out'))));
    this.update();
  }

  /** Show what is wrong now, and leave the fields to who types in them. */
  update() {
    const { words } = this._editing;
    const problems = problemsOf(this.row);
    const texts = problems.map((problem) => problemWords(problem, words));
    renew(this._problems, texts, () => texts.map((text) => el('p.problem', {}, text)));
    const { meaning, pin } = this.row;
    const candidates = meaning && !meaning.place && !pin ? meaning.candidates : [];
    renew(this._choices, candidates, () => candidates.map((found) => el('button', { type: 'button', onclick: () => this._take(found) }, el('bdi', {}, found.address))));
    this._choices.hidden = !candidates.length;
    for (const [field, input] of this._fields) {
      if (problems.some((problem) => problem.field === field)) input.setAttribute('aria-invalid', 'true');
      else input.removeAttribute('aria-invalid');
    }
  }

  /** @param {Field} field @returns {HTMLInputElement} */
  _input(field) {
    const input = /** @type {HTMLInputElement} */ (el('input', {
      id: `row-${this.row.number}-${field}`, value: this.row.values[field] ?? '', autocomplete: 'off',
      onchange: () => {
        this._editing.list.edit(this.row, field, input.value);
        this._editing.onEdit(this.row);
      },
    }));
    return input;
  }

  /** @param {Found} found */
  _take(found) {
    this._editing.list.pin(this.row, found);
    this._editing.onEdit(this.row);
    this._done.focus();
  }

  _leave() {
    this.row.leftOut = !this.row.leftOut;
    this._editing.onEdit(this.row);
    this._editing.onDone(this.row);
  }
}

/** Fields of the list's columns, and those that most orders have. @param {Row} row @param {readonly (Field|null)[]} columns @returns {Field[]} */
export function fieldsOf(row, columns) {
  const inParts = columns.includes('street') && !columns.includes('address');
  const wanted = [...(inParts ? PARTS : []), ...ALWAYS, ...columns, ...Object.keys(row.values)];
  const hasEnds = columns.includes('from') || columns.includes('to');
  if (!hasEnds) wanted.push('window');
  return /** @type {Field[]} */ ([...new Set(wanted)].filter((field) => field && !(inParts && field === 'address')));
}

/** @param {import('./rows.js').RowProblem} problem @param {import('../../../translations.js').Translations} words @returns {string} */
export function problemWords({ field, fault, detail = '' }, words) {
  const name = field === 'row' ? '' : words.say(`field.${field}`);
  if (fault === 'refused') return name ? `${name}: ${detail}` : detail;
  const own = `fault.${field}.${fault}`;
  return words.has(own) ? words.say(own) : words.say(`fault.${fault}`, { field: name });
}

/** What is shown of a row's place. @param {Row} row @param {import('../../../translations.js').Translations} words @returns {string} */
export function placeWords(row, words) {
  const place = placeOf(row);
  if (!place) return row.meaning ? '' : words.say('import.searching');
  return words.say(`precision.${row.pin ? 'pinned' : place.precision}`);
}
