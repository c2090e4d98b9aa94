/** RowTable: the rows of a list with their state, a part at a time. */

import { el, renew } from '../../../drive/element.js';
import { copyText } from '../../share/copy.js';
import { problemsOf, stateOf } from './import-list.js';
import { placeWords, problemWords, RowEditor } from './row-editor.js';

/** @typedef {import('./import-list.js').Row} Row */
/** @typedef {import('./import-list.js').State} State */
/** @typedef {'all'|'attention'|'created'} Filter */
/** @typedef {{onOpen: (row: Row|null) => void, onEdit: (row: Row) => void, onByHand: (row: Row) => void, onShare: (row: Row) => void}} Hooks */

const PART = 100; // rows drawn at once
const COLUMNS = 6;

export class RowTable {
  /** @param {import('../../board.js').Board} board @param {Hooks} hooks */
  constructor(board, hooks) {
    this._board = board;
    this._hooks = hooks;
    /** @type {import('./import-list.js').ImportList|null} */ this._list = null;
    /** @type {Filter} */ this._filter = 'all';
    /** @type {Row|null} */ this._open = null;
    /** @type {{editor: RowEditor, line: Element}|null} */ this._editor = null;
    this._shown = PART;
    this._filters = el('div.filters', { role: 'group', 'aria-label': board.words.say('import.filter') });
    this._body = el('tbody', { role: 'rowgroup' });
    this._more = el('button', { type: 'button', hidden: true, onclick: () => this._showMore() });
    this.element = el('div.rows', {}, this._filters, el('table', { role: 'table', 'aria-label': board.words.say('import.rows') }, this._head(), this._body), this._more);
  }

  /** @param {import('./import-list.js').ImportList|null} list */
  show(list) {
    this._list = list;
    this._open = null;
    this._editor = null;
    this._filter = 'all';
    this._shown = PART;
    this.draw();
  }

  /** Draw what has changed. */
  draw() {
    this._drawFilters();
    const rows = this._rows();
    const part = rows.slice(0, this._shown);
    const kept = new Map([...this._body.children].map((line) => [/** @type {HTMLElement} */ (line).dataset.key, line]));
    const lines = part.flatMap((row) => {
      const key = keyOf(row, row === this._open);
      const line = kept.get(key) ?? this._line(row, key);
      return row === this._open ? [line, this._editorLine(row)] : [line];
    });
    const focused = document.activeElement instanceof HTMLElement && this._body.contains(document.activeElement) ? document.activeElement.dataset.focus : '';
    this._replace(lines);
    if (focused && !this._body.contains(document.activeElement)) this._focus(focused);
    this._more.hidden = rows.length <= part.length;
    this._more.textContent = this._board.words.say('import.more', { count: rows.length - part.length });
  }

  /** Without moving lines that stay: a click on one of them would be lost. @param {readonly Element[]} lines */
  _replace(lines) {
    const wanted = new Set(lines);
    for (const line of this._body.querySelectorAll(':scope > tr')) if (!wanted.has(line)) line.remove();
    lines.forEach((line, n) => {
      if (this._body.children[n] !== line) this._body.insertBefore(line, this._body.children[n] ?? null);
    });
  }

  /** @param {Row|null} row */
  open(row) {
    this._open = row;
    this._editor = null;
    if (row && !this._rows().slice(0, this._shown).includes(row)) {
      this._filter = 'all';
      this._shown = Math.ceil(row.number / PART) * PART;
    }
    this.draw();
    this._hooks.onOpen(row);
    if (!row) return;
    const line = this._body.querySelector(`[data-editor="${row.number}"]`);
    line?.scrollIntoView({ block: 'nearest' });
    /** @type {HTMLElement|null|undefined} */ (line?.querySelector('.choices button') ?? line?.querySelector('[aria-invalid]') ?? line?.querySelector('input'))?.focus();
  }

  /** Show the rows that are orders now, with their links. */
  showCreated() {
    this._filter = 'created';
    this._shown = PART;
    this.draw();
  }

  /** @param {string} name */
  _focus(name) {
    const found = this.element.querySelector(`[data-focus="${CSS.escape(name)}"]`);
    if (found instanceof HTMLElement) found.focus({ preventScroll: true });
  }

  /** @returns {Row[]} */
  _rows() {
    const rows = this._list?.rows ?? [];
    if (this._filter === 'all') return rows;
    const wanted = this._filter === 'created' ? ['created'] : ['wrong', 'check', 'left-out'];
    return rows.filter((row) => row === this._open || wanted.includes(stateOf(row)));
  }

  _drawFilters() {
    const { words } = this._board;
    const { all = 0, wrong = 0, check = 0, leftOut = 0, created = 0 } = this._list?.counts() ?? {};
    const counts = { all, attention: wrong + check + leftOut, created };
    renew(this._filters, [counts, this._filter], () => Object.entries(counts).filter(([name, count]) => name === 'all' || count).map(([name, count]) => el('button', {
      type: 'button', 'aria-pressed': String(this._filter === name), 'data-focus': `filter-${name}`,
      onclick: () => {
        this._filter = /** @type {Filter} */ (name);
        this._shown = PART;
        this.draw();
      },
    }, words.say(`filter.${name}`, { count }))));
  }

  _head() {
    const { words } = this._board;
    const names = ['number', 'state', 'customer', 'address', 'window', 'action'];
    return el('thead', { role: 'rowgroup' }, el('tr', { role: 'row' }, ...names.map((name) => el('th', { role: 'columnheader', scope: 'col', 'data-cell': name }, words.say(`head.${name}`)))));
  }

  /** @param {Row} row @param {string} key @returns {Element} */
  _line(row, key) {
    const isOpen = row === this._open;
    const { words } = this._board;
    const { customer, address, window } = row.draft;
    const range = window && words.range(window.from, window.to);
    const state = stateOf(row);
    return el('tr', { role: 'row', 'data-row': row.number, 'data-key': key, 'data-state': state },
      cell('number', String(row.number)),
      cell('state', el('span.tag', {}, words.say(`state.${state}`))),
      cell('customer', el('bdi', {}, customer?.name ?? ''), customer?.phone && el('small', {}, el('bdi', { dir: 'ltr' }, customer.phone))),
      cell('address', el('bdi', {}, address), el('small', {}, this._note(row)), ...(isOpen ? [] : problemsOf(row).map((problem) => el('small.problem', {}, problemWords(problem, words))))),
      cell('window', range && `${range.from} – ${range.to}`, row.draft.problems.some(({ fault }) => fault === 'past') && el('small.problem', {}, words.say('fault.past'))),
      cell('action', ...this._actions(row)));
  }

  /** The same while the row is open: somebody types in it. @param {Row} row @returns {Element} */
  _editorLine(row) {
    if (this._editor?.editor.row === row) {
      this._editor.editor.update();
      return this._editor.line;
    }
    const { onEdit, onByHand } = this._hooks;
    const editor = new RowEditor(row, { list: /** @type {any} */ (this._list), words: this._board.words, onEdit, onByHand, onDone: () => this._close(row) });
    const line = el('tr.editing', { role: 'row', 'data-editor': row.number }, el('td', { role: 'cell', colspan: COLUMNS }, editor.element));
    this._editor = { editor, line };
    return line;
  }

  /** @param {Row} row @returns {string} */
  _note(row) {
    const { words } = this._board;
    if (row.sameAs === 'open' && !row.order) return words.say('import.same_open');
    if (row.sameAs && !row.order) return words.say('import.same_row', { n: row.sameAs });
    return placeWords(row, words);
  }

  /** @param {Row} row */
  _actions(row) {
    const { words } = this._board;
    const { order } = row;
    const name = `${words.say('head.number')} ${row.number}`;
    if (order) {
      return [el('a', { href: order.url, target: '_blank', rel: 'noopener', dir: 'ltr' }, words.say('import.open_link')),
        el('button', { type: 'button', 'aria-label': `${words.say('link.copy')}, ${name}`, onclick: () => copyText(this._board, order.url) }, words.say('link.copy')),
        el('button', { type: 'button', 'aria-label': `${words.say('import.send')}, ${name}`, onclick: () => this._hooks.onShare(row) }, words.say('import.send'))];
    }
    const isOpen = row === this._open;
    return [el('button', {
      type: 'button', 'data-focus': `edit-${row.number}`, 'aria-expanded': String(isOpen), 'aria-label': `${words.say('import.edit')}, ${name}`,
      onclick: () => (isOpen ? this._close(row) : this.open(row)),
    }, words.say('import.edit'))];
  }

  /** @param {Row} row */
  _close(row) {
    this._open = null;
    this._editor = null;
    this.draw();
    this._hooks.onOpen(null);
    this._focus(`edit-${row.number}`);
  }

  _showMore() {
    const first = this._shown;
    this._shown += PART;
    this.draw();
    /** @type {HTMLElement|null|undefined} */ (this._body.children[first]?.querySelector('button, a'))?.focus();
  }
}

/** @param {string} name of the column @param {...import('../../../drive/element.js').Child} children */
function cell(name, ...children) {
  return el('td', { role: 'cell', 'data-cell': name }, ...children);
}

/** What is drawn of a row, so that only what differs is drawn again. @param {Row} row @param {boolean} isOpen */
function keyOf(row, isOpen) {
  const { number, values, draft, meaning, pin, order, refused, checked, sameAs } = row;
  const known = meaning && [meaning.place?.address, meaning.candidates.length];
  return JSON.stringify([number, isOpen, stateOf(row), values, draft.window, known, pin, order?.id, refused, checked, sameAs]);
}
