/** ActForm: a form that sends one thing to the service and says what became of it. */

import { whyNotDone } from './notes.js';

/** @typedef {import('./link.js').NotSent} NotSent */

export class ActForm {
  /**
   * @param {import('./page.js').Page} page
   * @param {string} id of the form, whose answer is `<id>-answer`
   * @param {() => Promise<void>} send rejects with a NotSent
   * @param {string} done name of the text that says that it is done
   */
  constructor(page, id, send, done) {
    this._page = page;
    this._answerId = `${id}-answer`;
    this._send = send;
    this._done = done;
    this._isSending = false;
    page.element(id).addEventListener('submit', (event) => {
      event.preventDefault();
      this._submit();
    });
  }

  async _submit() {
    if (this._isSending) return;
    this._isSending = true;
    this.answer('', 'note.sending');
    try {
      await this._send();
      this.answer('sent', this._done);
    } catch (refusal) {
      this._write('refused', whyNotDone(/** @type {NotSent} */ (refusal), this._page.words));
    }
    this._isSending = false;
  }

  /** @param {string} kind for the style sheet @param {string} name of a text; empty: none */
  answer(kind, name) {
    this._write(kind, name && this._page.words.say(name));
  }

  /** @param {string} kind @param {string} text */
  _write(kind, text) {
    const answer = this._page.element(this._answerId);
    answer.dataset.kind = kind;
    answer.textContent = text;
  }
}
