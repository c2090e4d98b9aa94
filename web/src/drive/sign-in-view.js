/** Sign-in view: what to do without a token, and the field for a code. */

import { randomId } from '../random-id.js';
import { el, renew } from './element.js';
import { SignInFailed, credentialOf, pair } from './sign-in.js';

/** @typedef {import('./translations.js').Translations} Translations */

export class SignInView {
  /**
   * @param {HTMLElement} place @param {Translations} words @param {string} service the service's base URL
   * @param {(token: string, apps: import('./apps.js').AppLink[]) => unknown} onToken
   */
  constructor(place, words, service, onToken) {
    this._place = place;
    this._words = words;
    this._service = service;
    this._onToken = onToken;
    this._key = randomId(); // of the code that is tried, so that a repetition gives the same token
    this._code = '';
    /** @type {HTMLElement} */ this._answer = el('p.problem', { role: 'alert' });
  }

  /**
   * @param {{kept: number, isRevoked?: boolean}} options kept: actions and positions that wait for a token of the same
   *   driver; isRevoked: the service no longer takes the token
   */
  show({ kept, isRevoked = false }) {
    const words = this._words;
    this._place.hidden = false;
    renew(this._place, ['sign-in', kept, isRevoked], () => {
      const input = /** @type {HTMLInputElement} */ (
        el('input', { id: 'code', required: true, autocomplete: 'off', autocapitalize: 'characters', spellcheck: false }));
      const submit = (/** @type {SubmitEvent} */ event) => {
        event.preventDefault();
        this.use(credentialOf(input.value));
      };
      return [
        el('h1', { tabindex: -1 }, words.say('signin.title')),
        isRevoked && el('p.notice', { role: 'alert' }, words.say('signin.revoked')),
        el('p', {}, words.say('signin.how')),
        kept > 0 && el('p.notice', {}, words.say('signin.kept', { count: kept })),
        el('form', { onsubmit: submit },
          el('label', { for: 'code' }, words.say('signin.code')), input, this._answer,
          el('button.primary', { type: 'submit' }, words.say('signin.go'))),
      ];
    });
  }

  hide() {
    this._place.hidden = true;
  }

  /** @param {import('./sign-in.js').Credential|null} credential */
  async use(credential) {
    if (!credential) return this._say('signin.unknown_code');
    if ('token' in credential) return this._onToken(credential.token, []);
    if (credential.code !== this._code) [this._code, this._key] = [credential.code, randomId()];
    this._say('signin.trying');
    try {
      const { token, apps } = await pair(this._service, credential.code, this._key);
      this._say('');
      return this._onToken(token, apps);
    } catch (error) {
      return this._say(`signin.${error instanceof SignInFailed ? error.why : 'failed'}`);
    }
  }

  /** @param {string} name of a text, or empty */
  _say(name) {
    this._answer.textContent = name && this._words.say(name);
  }
}
