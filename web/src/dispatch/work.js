/** Work: what a dispatcher sees while logged in. It feeds the parts of the page from the stream of the fleet. */

import { el, icon } from '../drive/element.js';
import { FleetStream } from './fleet/fleet-stream.js';
import { statusPill } from './fleet/status-pill.js';
import { DriverList } from './list/driver-list.js';
import { DropZone } from './list/drop-zone.js';
import { OrderList } from './list/order-list.js';
import { BoardMap } from './map/board-map.js';
import { OrderActs } from './panel/order-acts.js';
import { Panel } from './panel/panel.js';
import { nothing } from './fleet/fleet.js';
import { toolsFor } from './tools.js';

/** @typedef {import('../../types/fleet.js').Change} Change */
/** @typedef {{kind: 'order'|'driver'|'', id: string}} Selection */

const DRAW_EVERY = 1_000; // milliseconds, at most: the service sends updates as often
const OVER = new Set([4001, 4003, 4008, 4011]); // close codes after which only a log-in helps

export class Work {
  /** @param {import('./board.js').Board} board */
  constructor(board) {
    this.board = board;
    /** @type {Selection} */ this.selection = { kind: '', id: '' };
    this._page = board.element('work');
    this._page.hidden = false;
    this._page.dataset.view = 'list';
    this._page.dataset.listed = 'orders';
    this._stream = new FleetStream(board.service);
    this.acts = new OrderActs(board, this);
    this.listed = 'orders'; // or `drivers`
    this.drop = new DropZone(board.element('drop'), board, this);
    this._panel = new Panel(board.element('panel'), board, this);
    this._list = new OrderList(board.element('list'), board, this);
    this._drivers = new DriverList(board.element('drivers'), board, this);
    this.map = new BoardMap(board.element('map'), board, {
      onSelect: (kind, id) => this.select(kind, id),
      onLook: (box) => this._stream.look(box),
      onDrop: (order, driver) => this.acts.assign(order, driver),
    });
    this._pending = nothing();
    this._drawnAt = 0;
    /** @type {ReturnType<typeof setTimeout>|undefined} */ this._drawing = undefined;
    this._stream.addEventListener('change', (event) => this._changed(/** @type {CustomEvent} */ (event).detail));
    this._stream.addEventListener('connection', (event) => this._connected(/** @type {CustomEvent} */ (event).detail));
    this._clock = setInterval(() => this._tick(), 1_000);
    this._listening = new AbortController();
    this._fillHeader();
    this._listen();
    this._tick();
  }

  get fleet() {
    return this._stream.fleet;
  }

  /** The service's clock, milliseconds. */
  get now() {
    return this._stream.clock.now();
  }

  close() {
    clearInterval(this._clock);
    clearTimeout(this._drawing);
    this._listening.abort();
    this._stream.close();
    this._panel.close();
    this.map.remove();
    this._list.close();
    this._drivers.close();
    this.drop.close();
    this._page.hidden = true;
  }

  /** @param {Selection['kind']} kind @param {string} [id] */
  select(kind, id = '') {
    this.selection = { kind, id };
    this._page.dataset.view = kind ? 'panel' : this._page.dataset.view === 'panel' ? this._before : this._page.dataset.view;
    this._list.select(this.selection);
    this._drivers.select(this.selection);
    this.map.select(this.selection, this.fleet);
    this._panel.show(this.selection);
    this._showView();
  }

  /** @param {[number, number][]} places */
  lookAt(places) {
    this.map.lookAt(places);
  }

  /** The panel's title is known better. */
  retitle() {
    this._panel.draw();
  }

  /** Show one part of the page, where there is room for one only. @param {string} view */
  view(view) {
    this._page.dataset.view = view;
    this._before = view;
    if (view !== 'map') this.listed = view === 'drivers' ? 'drivers' : 'orders';
    this._page.dataset.listed = this.listed;
    this._drivers.draw();
    this._showView();
  }

  _showView() {
    for (const button of this._page.querySelectorAll('[data-show]')) {
      const { show } = /** @type {HTMLElement} */ (button).dataset;
      button.setAttribute('aria-pressed', String(show === this._page.dataset.view));
      button.toggleAttribute('data-listed', show === (this.listed === 'drivers' ? 'drivers' : 'list'));
    }
    this.map.resize();
  }

  _fillHeader() {
    const { words, session } = this.board;
    this.board.element('who').textContent = session.name;
    this.board.element('readonly').hidden = this.board.mayChange;
    this.board.element('tools').replaceChildren(...toolsFor(session.scopes).map((tool) => {
      const button = el('button.tool', { type: 'button', 'data-tool': tool.name, title: words.say(`tool.${tool.name}`) },
        icon(tool.icon), el('span', {}, words.say(`tool.${tool.name}`)));
      button.addEventListener('click', () => tool.open(this.board, button));
      return button;
    }));
  }

  _listen() {
    const { signal } = this._listening;
    this._before = 'list';
    for (const button of this._page.querySelectorAll('[data-show]')) {
      const { show = '' } = /** @type {HTMLElement} */ (button).dataset;
      button.addEventListener('click', () => this.view(show), { signal });
    }
    document.addEventListener('keydown', (event) => this._key(event), { signal });
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', ({ matches }) => this.map.setDark(matches), { signal });
  }

  /** @param {KeyboardEvent} event */
  _key(event) {
    if (event.defaultPrevented || document.querySelector('dialog[open]')) return;
    const isTyping = event.target instanceof HTMLElement && event.target.closest('input, textarea, select');
    if (event.key === 'Escape' && this.selection.kind) this.deselect();
    else if (event.key === '/' && !isTyping && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      this.view('list');
      this._list.search();
    }
  }

  /** Close the panel and return to what it was opened from. */
  deselect() {
    const { kind, id } = this.selection;
    this.select('');
    if (kind !== 'driver' || !this._drivers.focus(id)) this._list.focus(id);
  }

  /** @param {{connection: string, code: number}} detail */
  _connected({ connection, code }) {
    const { words } = this.board;
    if (connection === 'over' && OVER.has(code)) this.board.end(words.say(code === 4011 ? 'login.revoked' : 'login.ended'));
    else this._tick();
  }

  /** @param {Change} change */
  _changed(change) {
    const { _pending: all } = this;
    all.whole ||= change.whole;
    for (const id of change.drivers) all.drivers.add(id);
    for (const id of change.orders) all.orders.add(id);
    const wait = Math.max(0, this._drawnAt + DRAW_EVERY - Date.now());
    this._drawing ??= setTimeout(() => this._draw(), wait);
  }

  _draw() {
    const change = this._pending;
    this._pending = nothing();
    this._drawing = undefined;
    this._drawnAt = Date.now();
    this._list.update(change);
    this._drivers.draw();
    this.map.update(this.fleet, change);
    this._panel.draw();
    this._tick();
  }

  _tick() {
    const { connection, lastHeard } = this._stream;
    const { kind, text } = statusPill(connection, lastHeard ? (Date.now() - lastHeard) / 1000 : 0, this.fleet.complete, this.board.words);
    const pill = this.board.element('pill');
    const title = connection === 'live' && this._stream.way !== 'websocket' ? this.board.words.say('pill.events') : '';
    if (pill.title !== title) pill.title = title;
    if (pill.textContent === text) return;
    pill.dataset.kind = kind;
    pill.textContent = text;
  }
}
