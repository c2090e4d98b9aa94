/** NoteBox: the notes between customer and courier, and the form to send one. */

import { bytesLeft, roomLeft, whyNotSent } from './notes.js';

const MAX_NOTES = 6; // on the screen; older ones are removed

export class NoteBox {
  /**
   * @param {import('./page.js').Page} page
   * @param {(text: string) => Promise<void>} send rejects with a NotSent
   */
  constructor(page, send) {
    this._page = page;
    this._send = send;
    this._text = /** @type {HTMLTextAreaElement} */ (page.element('note-text'));
    this._button = /** @type {HTMLButtonElement} */ (page.element('note-send'));
    this._isSending = false;
    this._list = page.element('said');
    this._text.addEventListener('input', () => this._measure());
    this._text.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) this._submit();
    });
    page.element('note-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this._submit();
    });
    const box = page.element('note-box');
    box.addEventListener('toggle', () => box.hasAttribute('open') && this._text.focus());
    this._form = page.element('note-form');
    new ResizeObserver(() => this._keepInView()).observe(page.element('tracker')); // a phone's keyboard comes or goes
    this._text.addEventListener('focus', () => this._keepInView());
    this._measure();
  }

  /** The form of a customer who is writing. */
  _keepInView() {
    const { activeElement } = this._page.root;
    if (activeElement && this._form.contains(activeElement)) this._form.scrollIntoView({ block: 'end' });
  }

  /** @param {boolean} possible whether there is a courier and the order is not over */
  allow(possible) {
    this._page.element('note-box').hidden = !possible;
    this._page.element('notes').hidden = !possible && !this._list.children.length;
  }

  /** @param {'customer'|'driver'} from @param {string} text shown as plain text */
  add(from, text) {
    const item = document.createElement('li');
    const who = document.createElement('span');
    item.dataset.from = from;
    who.className = 'unseen';
    who.textContent = `${this._page.words.say(`note.${from}`)} `;
    item.append(who, text);
    this._list.append(item);
    while (this._list.children.length > MAX_NOTES) this._list.children[0].remove();
    this._list.hidden = false;
    this._page.element('notes').hidden = false;
    this._list.scrollTop = this._list.scrollHeight;
  }

  _measure() {
    const left = bytesLeft(this._text.value);
    this._page.write('note-room', roomLeft(left, this._page.words));
    this._button.disabled = this._isSending || left < 0 || !this._text.value.trim();
  }

  async _submit() {
    const text = this._text.value.trim();
    if (this._button.disabled) return;
    this._text.focus(); // a button that is disabled would lose the focus
    this._answer('', this._page.words.say('note.sending'));
    this._isSending = true;
    this._measure();
    try {
      await this._send(text);
      this._text.value = '';
      this.add('customer', text);
      this._answer('sent', this._page.words.say('note.sent'));
    } catch (refusal) {
      this._answer('refused', whyNotSent(/** @type {import('./link.js').NotSent} */ (refusal), this._page.words));
    }
    this._isSending = false;
    this._measure();
  }

  /** @param {string} kind @param {string} text */
  _answer(kind, text) {
    const answer = this._page.element('note-answer');
    answer.dataset.kind = kind;
    answer.textContent = text;
  }
}
