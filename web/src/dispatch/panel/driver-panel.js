/** DriverPanel: a driver with duty, device, stops, and codes for phones. */

import { el, renew } from '../../drive/element.js';
import { Problem, problemText } from '../api.js';
import { nameOf } from '../list/order-row.js';
import { driverFacts } from './driver-facts.js';
import { factList } from './fact-list.js';
import { showQr } from '../share/qr-code.js';
import { canMove, moved } from './stop-moves.js';

/** @typedef {import('./stop-moves.js').Stop} Stop */

export class DriverPanel {
  /** @param {import('../board.js').Board} board @param {import('../work.js').Work} work @param {string} id */
  constructor(board, work, id) {
    this._board = board;
    this._work = work;
    this._id = id;
    /** @type {Stop[]} */ this._stops = [];
    this._loaded = '';
    this._facts = el('div.facts');
    this._acts = el('div.acts');
    this._problem = el('p.problem', { role: 'alert' });
    this._list = el('div.stops');
    this.element = el('div.sections', {}, this._facts, this._acts, this._problem, this._list);
  }

  get title() {
    return driverFacts(this._id, this._work, this._board.words).title;
  }

  close() {}

  draw() {
    const { words, mayChange } = this._board;
    const { facts } = driverFacts(this._id, this._work, words);
    renew(this._facts, facts, () => [factList(facts)]);
    const driver = this._work.fleet.driver(this._id);
    renew(this._acts, [driver?.duty, mayChange], () => (driver && mayChange ? this._actButtons(driver.duty) : []));
    const wanted = JSON.stringify(driver?.orders.map((id) => [id, this._work.fleet.orders.get(id)?.status]));
    if (wanted === this._loaded) return;
    this._loaded = wanted;
    this._call('GET', 'stops');
  }

  /** @param {{on: boolean, on_break: boolean}} duty */
  _actButtons({ on, on_break }) {
    const duties = on ? [['off', { on: false }], on_break ? ['resume', { on: true, on_break: false }] : ['break', { on: true, on_break: true }]] : [['on', { on: true }]];
    return [
      el('button', { type: 'button', 'data-act': 'pair', onclick: () => this._pair() }, this._board.words.say('driver.pair')),
      ...duties.map(([name, body]) => el('button', { type: 'button', 'data-act': `duty-${name}`, 'data-focus': `duty-${name}`, onclick: () => this._setDuty(/** @type {object} */ (body)) },
        this._board.words.say(`driver.duty.${name}`))),
    ];
  }

  /** @param {object} duty */
  async _setDuty(duty) {
    await this._try(() => this._board.api.call('POST', `v1/drivers/${this._id}/duty`, duty));
  }

  async _pair() {
    const { words } = this._board;
    await this._try(async () => {
      const { code, url, expires_at } = await this._board.api.post(`v1/drivers/${this._id}/pairing`);
      await showQr(this._board, url, words.say('driver.pair.title', { name: this.title }),
        el('p', {}, words.say('driver.pair.how', { time: words.time(expires_at) })), el('p.code', {}, el('bdi', {}, code)));
    });
  }

  /** @param {'GET'|'PUT'|'POST'} method @param {string} path @param {object} [body] */
  async _call(method, path, body) {
    await this._try(async () => {
      const { stops } = await this._board.api.call(method, `v1/drivers/${this._id}/${path}`, body);
      this._stops = stops;
    });
    this._drawStops();
  }

  /** @param {() => Promise<unknown>} act */
  async _try(act) {
    try {
      await act();
      this._problem.textContent = '';
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this._problem.textContent = problemText(error, this._board.words);
    }
  }

  _drawStops() {
    const { words, mayChange } = this._board;
    const stops = this._stops;
    const names = stops.map(({ order_id, kind }) => words.say(`stop.${kind}`, { name: nameOf(this._work.fleet.orders.get(order_id) ?? { id: order_id }) }));
    renew(this._list, [names, mayChange], () => [
      el('h3', { tabindex: -1 }, words.say('stop.title')),
      stops.length ? el('ol', {}, ...stops.map((stop, i) => this._stop(stop, i, names[i]))) : el('p.quiet', {}, words.say('fact.orders.none')),
      mayChange && stops.length > 2 && el('button', { type: 'button', 'data-focus': 'optimise', onclick: () => this._call('POST', 'stops/optimize', {}) }, words.say('stop.optimise')),
    ]);
  }

  /** @param {Stop} stop @param {number} i @param {string} name */
  _stop(stop, i, name) {
    const move = (/** @type {1|-1} */ step, /** @type {string} */ label, /** @type {string} */ sign) => el('button.plain.round', {
      type: 'button', disabled: !canMove(this._stops, i, step), 'data-focus': `${label}-${stop.order_id}-${stop.kind}`,
      'aria-label': this._board.words.say(`stop.${label}`, { stop: name }), onclick: () => this._call('PUT', 'stops', { stops: bare(moved(this._stops, i, step)) }),
    }, sign);
    return el('li', { 'data-kind': stop.kind },
      el('button.plain.to-order', { type: 'button', onclick: () => this._work.select('order', stop.order_id) }, el('bdi', {}, name)),
      this._board.mayChange && move(-1, 'up', '↑'), this._board.mayChange && move(1, 'down', '↓'));
  }
}

/** @param {Stop[]} stops */
function bare(stops) {
  return stops.map(({ order_id, kind }) => ({ order_id, kind }));
}
