/** Login: the key is exchanged for a session of the browser, and kept nowhere. */

import { el } from '../drive/element.js';
import { Problem, problemText } from './api.js';

/** @typedef {import('../drive/translations.js').Translations} Translations */

export class Login {
  /**
   * @param {HTMLElement} container @param {import('./api.js').Api} api @param {Translations} words
   * @param {() => unknown} onDone the browser has a session
   */
  constructor(container, api, words, onDone) {
    this._container = container;
    this._api = api;
    this._words = words;
    this._onDone = onDone;
    this._problem = el('p.problem', { id: 'login-problem', role: 'alert' });
    this._field = /** @type {HTMLInputElement} */ (el('input', {
      id: 'key', type: 'password', required: true, maxlength: 500, autocomplete: 'current-password', spellcheck: 'false',
      autocapitalize: 'off', 'aria-describedby': 'login-how login-problem',
    }));
    this._button = /** @type {HTMLButtonElement} */ (el('button.primary', { type: 'submit' }, words.say('login.go')));
  }

  /** @param {string} reason why the dispatcher is here again; empty at first */
  show(reason) {
    const words = this._words;
    this._problem.textContent = '';
    this._field.value = '';
    this._container.replaceChildren(
      el('h1', {}, words.say('title')),
      reason && el('p.notice', { id: 'login-reason', role: 'status' }, reason),
      el('form', { novalidate: true, onsubmit: (/** @type {Event} */ event) => this._submit(event) },
        el('label', { for: 'key' }, words.say('login.key')), this._field,
        el('p.quiet', { id: 'login-how' }, words.say('login.how')), this._problem, this._button),
    );
    this._container.hidden = false;
    this._field.focus();
  }

  hide() {
    this._container.hidden = true;
    this._container.replaceChildren();
  }

  /** @param {Event} event */
  async _submit(event) {
    event.preventDefault();
    const key = this._field.value.trim();
    this._fail('');
    if (!key) return this._fail(this._words.say('login.empty'));
    this._button.disabled = true;
    try {
      await this._api.call('POST', 'v1/session', { key });
      this._field.value = '';
      await this._onDone();
    } catch (error) {
      this._fail(this._textOf(error));
    } finally {
      this._button.disabled = false;
    }
  }

  /** @param {string} text */
  _fail(text) {
    this._problem.textContent = text;
    this._field.toggleAttribute('aria-invalid', Boolean(text));
    if (text) this._field.setAttribute('aria-invalid', 'true');
    if (text) this._field.focus();
  }

  /** @param {unknown} error */
  _textOf(error) {
    if (error instanceof Problem && error.status === 401) return this._words.say('login.wrong');
    return problemText(error, this._words);
  }
}
