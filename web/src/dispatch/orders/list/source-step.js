/** SourceStep: where a list comes from: pasted, dropped or chosen as a file. */

import { el } from '../../../drive/element.js';
import { decode, MOST_BYTES } from './encoding.js';

const LONG = 20_000; // characters

export class SourceStep {
  /** @param {import('../../../translations.js').Translations} words @param {(text: string) => Promise<boolean>} onText false: there is no list in it */
  constructor(words, onText) {
    this._words = words;
    this._onText = onText;
    this.text = /** @type {HTMLTextAreaElement} */ (el('textarea', { id: 'import-text', rows: 8, spellcheck: 'false', placeholder: words.say('import.example'), 'aria-describedby': 'import-problem',
      onpaste: (/** @type {ClipboardEvent} */ event) => this._pasted(event) }));
    this._problem = el('p.problem', { id: 'import-problem', role: 'alert' });
    this._file = /** @type {HTMLInputElement} */ (el('input.unseen', { id: 'import-file', type: 'file', accept: '.csv,.tsv,.txt,text/csv,text/plain', onchange: () => this._take(this._file.files?.[0]) }));
    this._go = el('button.primary', { type: 'button', onclick: () => this._give(this.text.value) }, words.say('import.read'));
    this.element = el('div.source', {
      ondragover: (/** @type {Event} */ event) => event.preventDefault(),
      ondrop: (/** @type {DragEvent} */ event) => this._dropped(event),
    },
    el('p', {}, words.say('import.how')), el('label', { for: 'import-text' }, words.say('import.text')), this.text, this._problem,
    el('div.buttons', {}, this._go, el('label.button', { for: 'import-file' }, words.say('import.file')), this._file));
  }

  /** Browsers take long to insert a long text as if it were typed. @param {ClipboardEvent} event */
  _pasted(event) {
    const text = event.clipboardData?.getData('text/plain') ?? '';
    if (text.length < LONG || this.text.value) return;
    event.preventDefault();
    this.text.value = text;
  }

  /** @param {DragEvent} event */
  _dropped(event) {
    const file = event.dataTransfer?.files[0];
    if (!file) return;
    event.preventDefault();
    this._take(file);
  }

  /** @param {File|undefined} file */
  async _take(file) {
    if (!file) return;
    this._file.value = '';
    if (file.size > MOST_BYTES) return this._refuse('too-big');
    const read = decode(new Uint8Array(await file.arrayBuffer()));
    if ('unreadable' in read) this._refuse(read.unreadable);
    else this._give(read.text);
  }

  /** @param {string} text */
  async _give(text) {
    this._problem.textContent = '';
    if (text.length > MOST_BYTES) this._refuse('too-big');
    else if (!(await this._onText(text))) this._refuse('empty');
  }

  /** @param {string} why */
  _refuse(why) {
    this._problem.textContent = this._words.say(`import.${why}`);
    this.text.focus();
  }
}
