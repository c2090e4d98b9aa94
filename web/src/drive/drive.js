/** The driver's page: signs in, then shows orders and sends what the driver does. */

import { Courier } from './courier.js';
import { el, renew } from './element.js';
import { Mine } from './mine.js';
import { MineSheet } from './mine-sheet.js';
import { noticeButton } from './notice.js';
import { allowSoundAfterTap } from './ring.js';
import { confirmSheet } from './sheet.js';
import { credentialIn } from './sign-in.js';
import { SignInView } from './sign-in-view.js';
import { Store } from './store.js';
import { Translations } from './translations.js';

/** @param {string} id @returns {HTMLElement} */
const place = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** The code or token of the link, which leaves the address at once, so that no screenshot or history shows it. */
function takeCredential() {
  const credential = credentialIn(location.hash);
  if (location.hash) history.replaceState(null, '', location.pathname + location.search);
  return credential;
}

class Drive {
  /** @param {Store} store @param {Translations} words */
  constructor(store, words) {
    this._store = store;
    this._words = words;
    this._service = new URL('.', location.href).href;
    /** @type {Courier|null} */ this._courier = null;
    this._signIn = new SignInView(place('sign-in'), words, this._service, (token, apps) => this._begin(token, apps));
  }

  async start() {
    const credential = takeCredential();
    const token = await this._store.setting('token');
    if (token) await this._open(token);
    else await this._askForCode();
    if (credential) await this._signIn.use(credential);
    addEventListener('hashchange', () => {
      const next = takeCredential();
      if (next) this._signIn.use(next);
    });
  }

  /** @param {string} token new @param {import('./apps.js').AppLink[]} apps links that set up apps with it */
  async _begin(token, apps) {
    await this._store.set('token', token);
    await this._store.set('apps', apps);
    navigator.storage?.persist?.();
    await this._open(token);
  }

  /** @param {string} token */
  async _open(token) {
    this._courier?.close();
    this._signIn.hide();
    place('work').hidden = false;
    renew(place('more'), token, () => [
      noticeButton(this._words),
      el('button', { type: 'button', 'data-focus': 'mine', onclick: () => new MineSheet(this._words, new Mine(this._service, token)) },
        this._words.say('mine.title')),
      el('button', { type: 'button', onclick: () => this._askToSignOut() }, this._words.say('signout')),
      el('p.quiet', {}, this._words.say('about')),
    ]);
    this._courier = new Courier(this._store, this._words, this._service, token, () => this._askForCode({ isRevoked: true }));
    await this._courier.start();
  }

  /** The token is missing or no longer valid. What is not sent waits for the driver's next token. */
  async _askForCode({ isRevoked = false } = {}) {
    this._courier?.close();
    place('work').hidden = true;
    await this._store.forgetOrders();
    const kept = (await this._store.actions()).length + (await this._store.countFixes());
    this._signIn.show({ kept, isRevoked });
  }

  async _askToSignOut() {
    const words = this._words;
    const unsent = (await this._store.actions()).length + (await this._store.countFixes());
    const text = unsent ? words.say('signout.unsent', { count: unsent }) : words.say('signout.what');
    confirmSheet(words, { title: words.say('signout'), text, yes: words.say('signout') }, () => this._signOut());
  }

  async _signOut() {
    this._courier?.close();
    await this._store.clear();
    await this._askForCode();
    place('sign-in').querySelector('h1')?.focus();
  }
}

async function start() {
  const words = await Translations.load();
  Object.assign(document.documentElement, { lang: words.language, dir: words.direction });
  document.title = words.say('title');
  allowSoundAfterTap();
  try {
    await new Drive(await Store.open(), words).start();
  } catch (error) {
    place('sign-in').append(el('p.problem', { role: 'alert' }, words.say('storage')));
    throw error;
  }
  navigator.serviceWorker?.register(new URL('drive/worker.js', location.href), { scope: location.pathname });
}

start();
