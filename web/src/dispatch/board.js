/** Board: the session of a dispatcher, from the log-in to its end, and what all parts of the page share. */

import { openSheet } from '../drive/sheet.js';
import { Api, Problem, problemText } from './api.js';
import { Login } from './login.js';
import { Work } from './work.js';

/** @typedef {import('../drive/translations.js').Translations} Translations */
/** @typedef {{name: string, scopes: string[], expires_at: string|null}} Session */

const RETRY_AFTER = 5_000; // milliseconds, while the service does not answer

export class Board {
  /** @param {Document} page @param {Translations} words */
  constructor(page, words) {
    this._page = page;
    this.words = words;
    this.service = new URL(page.body.dataset.base ?? '', location.href).href.replace(/\/$/, '');
    this.api = new Api(this.service, () => this.end(words.say('login.ended')));
    /** @type {Session} */ this.session = { name: '', scopes: [], expires_at: null };
    this._login = new Login(this.element('login'), this.api, words, () => this._enter());
    /** @type {Work|null} */ this._work = null;
  }

  /** @param {string} id @returns {HTMLElement} */
  element(id) {
    return /** @type {HTMLElement} */ (this._page.getElementById(id));
  }

  get fleet() {
    return /** @type {Work} */ (this._work).fleet;
  }

  get dark() {
    return matchMedia('(prefers-color-scheme: dark)').matches;
  }

  /** Whether the key may change orders and drivers. */
  get mayChange() {
    return this.session.scopes.includes('orders');
  }

  /** Go on with the browser's session, or ask for a key. */
  async start() {
    try {
      await this._enter();
    } catch (error) {
      if (error instanceof Problem && error.status === 401) return this._login.show('');
      this._login.show(problemText(error, this.words));
      setTimeout(() => this._work || this.element('login').contains(document.activeElement) || this.start(), RETRY_AFTER);
    }
  }

  async _enter() {
    this.session = await this.api.get('v1/session');
    this._login.hide();
    this._work?.close();
    this._work = new Work(this);
  }

  /** The session is over: back to the log-in. @param {string} reason */
  end(reason) {
    if (!this._work) return;
    this._work.close();
    this._work = null;
    for (const dialog of this._page.querySelectorAll('dialog')) dialog.close();
    this._login.show(reason);
  }

  async logOut() {
    try {
      await this.api.call('DELETE', 'v1/session');
      this.end(this.words.say('login.left'));
    } catch (error) {
      this.announce(problemText(error, this.words));
    }
  }

  /** Open a dialog; the browser keeps the focus inside and gives it back. @param {string} title @param {...(Node|string|null|false)} children */
  sheet(title, ...children) {
    return openSheet(this.words, title, ...children);
  }

  /** Show a text for a while, and have screen readers say it. @param {string} text */
  announce(text) {
    const line = this.element('announcer');
    line.textContent = '';
    queueMicrotask(() => (line.textContent = text));
  }

  /** @param {'order'|'driver'|''} kind @param {string} [id] */
  select(kind, id = '') {
    this._work?.select(kind, id);
  }

  /** Show these places on the map. @param {[number, number][]} places longitude, latitude */
  lookAt(places) {
    this._work?.lookAt(places);
  }
}
