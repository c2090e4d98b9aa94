/**
 * <order-tracker src="https://track.example/t/<token>">: the order's page as an element for other sites.
 *
 *     <script type="module" src="https://track.example/static/src/order-tracker.js"></script>
 *     <order-tracker src="https://track.example/t/…" theme="light" no-map></order-tracker>
 *
 * Attributes: `src`, a tracking link; `theme`, light or dark, by default the device's; `lang`, the language, by default
 * the order's or the browser's; `no-map`, the card alone; `frame`, in a frame of the service, for pages with a strict content security policy.
 * Events, composed and bubbling, each with its `detail`: `order-state` (the State), `order-message`, `order-end`,
 * `order-connection`; `order-missing` if the link does not work. `element.stream` is the OrderStream.
 */

import { serviceOf } from './link.js';
import { wordsOf } from './page.js';
import { OrderStream } from './stream.js';
import { OrderView } from './view.js';

const ATTRIBUTES = ['src', 'theme', 'lang', 'no-map', 'frame'];
const DARK_WHEN = /** @type {Record<string, string>} */ ({ light: 'not all', dark: 'all' });
const PREFERS_DARK = '(prefers-color-scheme: dark)';
const RETRY_DELAYS = [2_000, 5_000, 15_000]; // milliseconds, times 0.5 to 1.5 at random

export class OrderTracker extends HTMLElement {
  static observedAttributes = ATTRIBUTES;

  constructor() {
    super();
    this.attachShadow({ mode: 'open' });
    /** @type {OrderStream|null} */ this.stream = null;
    /** @type {OrderView|null} */ this._view = null;
    this._opening = new AbortController();
  }

  connectedCallback() {
    this._start();
  }

  disconnectedCallback() {
    this._stop();
  }

  /** @param {string} name @param {string|null} before @param {string|null} now */
  attributeChangedCallback(name, before, now) {
    if (before === now || !this.isConnected) return;
    if (name === 'theme' && !this.hasAttribute('frame')) this._applyTheme();
    else this._start();
  }

  /** @param {string} name @returns {string} */
  _attribute(name) {
    return this.getAttribute(name) ?? '';
  }

  /** Start once if several attributes change together. */
  _start() {
    this._stop();
    const { signal } = (this._opening = new AbortController());
    queueMicrotask(() => signal.aborted || !this._attribute('src') || this._open(signal));
  }

  _stop() {
    this._opening.abort();
    this._view?.remove();
    this.stream?.close();
    this._view = this.stream = null;
  }

  /** @param {AbortSignal} signal */
  async _open(signal) {
    const options = { theme: this._attribute('theme'), lang: this._attribute('lang'), bare: this.hasAttribute('no-map') };
    const address = pageOf(this._attribute('src'), options);
    if (this.hasAttribute('frame')) return this._frame(address);
    const page = await this._fetch(address, signal);
    if (!page || signal.aborted) return;
    const tracker = page.getElementById('tracker');
    const links = styles(page, address);
    const styled = Promise.all(links.map(loaded));
    this._root.replaceChildren(...links);
    this._applyTheme();
    await styled; // so that no unstyled content flashes
    if (signal.aborted) return;
    this._root.append(tracker ?? /** @type {Node} */ (page.querySelector('main')));
    if (tracker) this._show(page, serviceOf(address));
    else this._emit('order-missing', null);
  }

  get _root() {
    return /** @type {ShadowRoot} */ (this.shadowRoot);
  }

  /** @param {Document} page of the service @param {string} service */
  _show(page, service) {
    const snapshot = JSON.parse(page.getElementById('snapshot')?.textContent ?? '');
    const stream = (this.stream = new OrderStream(this._attribute('src'), { snapshot }));
    for (const type of ['state', 'message', 'end', 'connection']) {
      stream.addEventListener(type, (event) => this._emit(`order-${type}`, /** @type {CustomEvent} */ (event).detail));
    }
    this._view = new OrderView(this._root, stream, { words: wordsOf(page), service, link: this._attribute('src') });
    this._emit('order-state', stream.state);
  }

  /**
   * Fetch the service's page, which may say that the link does not work. Retry until there is an answer.
   * @param {URL} address @param {AbortSignal} signal @returns {Promise<Document|null>}
   */
  async _fetch(address, signal) {
    for (let i = 0; !signal.aborted; i++) {
      const response = await fetch(address, { signal, credentials: 'omit' }).catch(() => null);
      if (response && response.status < 500) return new DOMParser().parseFromString(await response.text(), 'text/html');
      const delay = RETRY_DELAYS[Math.min(i, RETRY_DELAYS.length - 1)] * (0.5 + Math.random());
      await new Promise((resolve) => setTimeout(resolve, delay));
    }
    return null;
  }

  /** @param {URL} address */
  _frame(address) {
    const frame = document.createElement('iframe');
    const style = document.createElement('link');
    Object.assign(style, { rel: 'stylesheet', href: new URL('../style/frame.css', import.meta.url).href });
    Object.assign(frame, { src: address.href, title: 'Where your order is', referrerPolicy: 'no-referrer' });
    this._root.replaceChildren(style, frame);
  }

  /** The theme is the media query of the dark style sheets. */
  _applyTheme() {
    const sheets = /** @type {NodeListOf<HTMLLinkElement>} */ (this._root.querySelectorAll('link[data-dark]'));
    for (const sheet of sheets) sheet.media = DARK_WHEN[this._attribute('theme')] ?? PREFERS_DARK;
    this._view?.themed();
  }

  /** @param {string} type @param {unknown} detail */
  _emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true }));
  }
}

/**
 * @param {string} src a tracking link
 * @param {{theme: string, lang: string, bare: boolean}} options bare: without a map
 * @returns {URL} of its page for other sites
 */
function pageOf(src, { theme, lang, bare }) {
  const address = new URL(src, location.href);
  address.pathname = address.pathname.replace(/\/t\/([\w-]+).*$/, '/embed/$1');
  address.search = '';
  if (theme) address.searchParams.set('theme', theme);
  if (lang) address.searchParams.set('lang', lang);
  if (bare) address.searchParams.set('no-map', '');
  return address;
}

/** @param {Document} page @param {URL} address @returns {HTMLLinkElement[]} */
function styles(page, address) {
  const links = /** @type {NodeListOf<HTMLLinkElement>} */ (page.querySelectorAll('link[rel=stylesheet]'));
  return [...links].map((link) => {
    link.href = new URL(link.getAttribute('href') ?? '', address).href;
    return link;
  });
}

/** @param {HTMLLinkElement} link @returns {Promise<void>} resolves once it has loaded or failed */
function loaded(link) {
  return new Promise((resolve) => (link.onload = link.onerror = () => resolve()));
}

customElements.define('order-tracker', OrderTracker);
