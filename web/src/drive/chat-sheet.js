/** Chat sheet: the notes between the driver and the customer of an order. */

import { el, renew } from './element.js';
import { openSheet } from './sheet.js';

/** @typedef {import('../../types/driver.js').Action} Action */
/** @typedef {import('../../types/driver.js').Note} Note */
/** @typedef {import('./translations.js').Translations} Translations */

const NOTE_LENGTH = 1_000; // characters; the service takes 4 kB

export class ChatSheet {
  /** @param {Translations} words @param {string} title of the order @param {(text: string) => unknown} onSend */
  constructor(words, title, onSend) {
    this._words = words;
    this._list = el('ol.chat', { tabindex: 0, 'aria-label': words.say('chat.list'), 'aria-live': 'polite' });
    const text = /** @type {HTMLTextAreaElement} */ (
      el('textarea', { id: 'chat-text', rows: 2, required: true, maxlength: NOTE_LENGTH }));
    const submit = (/** @type {SubmitEvent} */ event) => {
      event.preventDefault();
      if (text.value.trim()) onSend(text.value.trim());
      text.value = '';
      text.focus();
    };
    this.dialog = openSheet(words, words.say('chat.title', { order: title }), this._list,
      el('form', { onsubmit: submit },
        el('label', { for: 'chat-text' }, words.say('chat.label')), text,
        el('button.primary', { type: 'submit' }, words.say('chat.send'))));
  }

  /** @param {Note[]} notes that were exchanged @param {Action[]} waiting notes that are not sent yet */
  show(notes, waiting) {
    renew(this._list, [notes, waiting], () => [
      ...notes.map(({ from, text, at }) => this._item(from, text, this._words.time(at))),
      ...waiting.map(({ text, refusal }) => this._item('driver', text ?? '', this._words.say(refusal ? 'chat.refused' : 'waiting'))),
    ]);
    this._list.scrollTop = this._list.scrollHeight;
  }

  /** @param {'driver'|'customer'} from @param {string} text @param {string} state */
  _item(from, text, state) {
    return el('li', { 'data-from': from },
      el('span.unseen', {}, `${this._words.say(`chat.${from}`)}: `), el('bdi', {}, text), el('small', {}, state));
  }
}
