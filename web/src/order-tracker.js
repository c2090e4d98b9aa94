/**
 * <order-tracker src="https://track.example/t/<token>">: the order's page as an element of another site's page.
 *
 *     <script type="module" src="https://track.example/static/src/order-tracker.js"></script>
 *     <order-tracker src="https://track.example/t/…" theme="light" no-map></order-tracker>
 *
 * Attributes: `src`, a tracking link; `theme`, light or dark, else as the device wishes; `lang`, for the times;
 * `no-map`, the card alone; `frame`, in a frame of the service, for pages whose policy lets nothing else in.
 * Events, composed and bubbling, each with its `detail`: `order-state` (the State), `order-message`, `order-end`,
 * `order-connection`; `order-missing` where the link does not work. `element.stream` is the OrderStream.
 */

import { OrderStream } from './stream.js';
import { OrderView } from './view.js';

const ATTRIBUTES = ['src', 'theme', 'lang', 'no-map', 'frame'];
const DARK_WHEN = /** @type {Record<string, string>} */ ({ light: 'not all', dark: 'all' });
const WISHED_DARK = '(prefers-color-scheme: dark)';
const AGAIN = [2_000, 5_000, 15_000]; // milliseconds until the page is asked for again

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
    this._begin();
  }

  disconnectedCallback() {
    this._end();
  }

  /** @param {string} name @param {string|null} before @param {string|null} now */
  attributeChangedCallback(name, before, now) {
    if (before === now || !this.isConnected) return;
    if (name === 'theme' && !this.hasAttribute('frame')) this._wear();
    else this._begin();
  }

  /** @param {string} name @returns {string} */
  _said(name) {
    return this.getAttribute(name) ?? '';
  }

  /** Several attributes that change together begin it once. */
  _begin() {
    this._end();
    const { signal } = (this._opening = new AbortController());
    queueMicrotask(() => signal.aborted || !this._said('src') || this._open(signal));
  }

  _end() {
    this._opening.abort();
    this._view?.remove();
    this.stream?.close();
    this._view = this.stream = null;
  }

  /** @param {AbortSignal} signal */
  async _open(signal) {
    const address = pageOf(this._said('src'), { theme: this._said('theme'), bare: this.hasAttribute('no-map') });
    if (this.hasAttribute('frame')) return this._frame(address);
    const page = await this._fetch(address, signal);
    if (!page || signal.aborted) return;
    const tracker = page.getElementById('tracker');
    const links = styles(page, address);
    const worn = Promise.all(links.map(loaded));
    this._root.replaceChildren(...links);
    this._wear();
    await worn; // before that there is nothing to be seen
    if (signal.aborted) return;
    this._root.append(tracker ?? /** @type {Node} */ (page.querySelector('main')));
    if (tracker) this._show(JSON.parse(page.getElementById('snapshot')?.textContent ?? ''), address.origin);
    else this._emit('order-missing', null);
  }

  get _root() {
    return /** @type {ShadowRoot} */ (this.shadowRoot);
  }

  /** @param {object} snapshot @param {string} service */
  _show(snapshot, service) {
    const stream = (this.stream = new OrderStream(this._said('src'), { snapshot }));
    for (const type of ['state', 'message', 'end', 'connection']) {
      stream.addEventListener(type, (event) => this._emit(`order-${type}`, /** @type {CustomEvent} */ (event).detail));
    }
    const languages = this.lang ? [this.lang] : navigator.languages;
    this._view = new OrderView(this._root, stream, { service, languages });
    this._emit('order-state', stream.state);
  }

  /**
   * The service's page, found or not; asked for until there is an answer.
   * @param {URL} address @param {AbortSignal} signal @returns {Promise<Document|null>}
   */
  async _fetch(address, signal) {
    for (let i = 0; !signal.aborted; i++) {
      const answer = await fetch(address, { signal, credentials: 'omit' }).catch(() => null);
      if (answer && answer.status < 500) return new DOMParser().parseFromString(await answer.text(), 'text/html');
      await new Promise((go) => setTimeout(go, AGAIN[Math.min(i, AGAIN.length - 1)] * (0.5 + Math.random())));
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

  /** The theme is the media of the dark colours. */
  _wear() {
    const dark = /** @type {HTMLLinkElement|null} */ (this._root.getElementById('dark'));
    if (dark) dark.media = DARK_WHEN[this._said('theme')] ?? WISHED_DARK;
    this._view?.themed();
  }

  /** @param {string} type @param {unknown} detail */
  _emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true }));
  }
}

/**
 * @param {string} src a tracking link
 * @param {{theme: string, bare: boolean}} how
 * @returns {URL} of the same for other sites
 */
function pageOf(src, { theme, bare }) {
  const address = new URL(src, location.href);
  address.pathname = address.pathname.replace(/\/t\/([\w-]+).*$/, '/embed/$1');
  address.search = '';
  if (theme) address.searchParams.set('theme', theme);
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

/** @param {HTMLLinkElement} link @returns {Promise<void>} once its style is there, or will not come */
function loaded(link) {
  return new Promise((go) => (link.onload = link.onerror = () => go()));
}

customElements.define('order-tracker', OrderTracker);
