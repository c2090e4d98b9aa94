/** Combobox: a text field that suggests values while somebody types (ARIA combobox with a listbox). */

import { el } from '../../drive/element.js';

/** @typedef {{text: string, detail?: string, value: any}} Option */
/**
 * @typedef {object} Options
 * @property {string} id of the field
 * @property {string} label
 * @property {import('../../translations.js').Translations} words
 * @property {(text: string) => Promise<Option[]>} search rejects if it cannot; the field then has no suggestions
 * @property {(option: Option|null) => void} onPick null: the text was changed by hand
 * @property {number} [minimum] characters before a search
 * @property {number} [delay] milliseconds after the last key
 */

export class Combobox {
  /** @param {Options} options */
  constructor(options) {
    this._options = { minimum: 2, delay: 180, ...options };
    const { id, label } = options;
    this.input = /** @type {HTMLInputElement} */ (el('input', {
      id, type: 'text', role: 'combobox', autocomplete: 'off', spellcheck: 'false', 'aria-autocomplete': 'list', 'aria-expanded': 'false',
      'aria-controls': `${id}-options`, oninput: () => this._typed(), onkeydown: (/** @type {KeyboardEvent} */ event) => this._key(event),
      onblur: () => this._close(),
    }));
    this._list = el('ul.options', { id: `${id}-options`, role: 'listbox', 'aria-label': label, hidden: true });
    this._status = el('span.unseen', { role: 'status' });
    this.element = el('div.combobox', {}, this.input, this._list, this._status);
    /** @type {Option[]} */ this._found = [];
    this._active = -1;
    this._asked = 0;
    /** @type {ReturnType<typeof setTimeout>|undefined} */ this._timer = undefined;
  }

  get text() {
    return this.input.value.trim();
  }

  /** Show a value without searching for it. @param {string} text */
  set text(text) {
    this._asked++;
    clearTimeout(this._timer);
    this.input.value = text;
    this._close();
  }

  _typed() {
    this._options.onPick(null);
    clearTimeout(this._timer);
    const asked = ++this._asked;
    if (this.text.length < this._options.minimum) this._close();
    else this._timer = setTimeout(() => this._search(asked), this._options.delay);
  }

  /** @param {number} asked a later question makes this one's answer worthless */
  async _search(asked) {
    const found = await this._options.search(this.text).catch(() => []);
    if (asked === this._asked && document.activeElement === this.input) this._show(found);
  }

  /** @param {Option[]} found */
  _show(found) {
    const { id, words } = this._options;
    this._found = found;
    this._active = -1;
    this._list.replaceChildren(...found.map(({ text, detail }, n) => el('li', {
      id: `${id}-option-${n}`, role: 'option', 'aria-selected': 'false',
      onpointerdown: (/** @type {Event} */ event) => event.preventDefault(), onclick: () => this._pick(n), // the field keeps the focus
    }, el('bdi', {}, text), detail && el('small', {}, ` ${detail}`))));
    this._list.hidden = !found.length;
    this.input.setAttribute('aria-expanded', String(found.length > 0));
    this.input.removeAttribute('aria-activedescendant');
    this._status.textContent = words.say('suggestions', { count: found.length });
  }

  _close() {
    clearTimeout(this._timer);
    this._list.hidden = true;
    this._active = -1;
    this.input.setAttribute('aria-expanded', 'false');
    this.input.removeAttribute('aria-activedescendant');
    this._status.textContent = '';
  }

  /** @param {KeyboardEvent} event */
  _key(event) {
    const isOpen = !this._list.hidden;
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      if (isOpen) this._move(event.key === 'ArrowDown' ? 1 : -1);
      else if (this.text.length >= this._options.minimum) this._search(++this._asked);
    } else if (event.key === 'Enter' && isOpen && this._active >= 0) {
      event.preventDefault();
      this._pick(this._active);
    } else if (event.key === 'Escape' && isOpen) {
      event.preventDefault(); // the dialog stays
      this._close();
    } else if (event.key === 'Enter' || event.key === 'Tab') {
      this._asked++;
      this._close();
    }
  }

  /** @param {number} step */
  _move(step) {
    const count = this._found.length;
    this._active = this._active < 0 && step < 0 ? count - 1 : (this._active + step + count) % count;
    [...this._list.children].forEach((option, n) => option.setAttribute('aria-selected', String(n === this._active)));
    const active = this._list.children[this._active];
    active.scrollIntoView({ block: 'nearest' });
    this.input.setAttribute('aria-activedescendant', active.id);
  }

  /** @param {number} n */
  _pick(n) {
    const picked = this._found[n];
    this.text = picked.text;
    this._options.onPick(picked);
  }
}
