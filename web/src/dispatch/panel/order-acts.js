/** OrderActs: assigns orders and changes their status, and says what came of it. */

import { el } from '../../drive/element.js';
import { problemText } from '../api.js';
import { nameOf } from '../list/order-row.js';
import { OUTCOMES } from './acts-of.js';
import { pickDriver } from './driver-picker.js';

/** @typedef {import('./acts-of.js').Act} Act */

export class OrderActs {
  /** @param {import('../board.js').Board} board @param {import('../work.js').Work} work */
  constructor(board, work) {
    this._board = board;
    this._work = work;
    /** @type {Map<string, number>} */ this._versions = new Map(); // of orders that this page has changed
  }

  /** @param {string} id of an order @param {Act} act @param {HTMLElement} _opener */
  run(id, act, _opener) {
    if (act.to === 'assign') return this._pick(id);
    if (act.to === 'attempt') return this._send(id, `v1/orders/${id}/attempts`, {}, 'done.attempt');
    if (act.asks) return this._ask(id, act);
    return this._send(id, `v1/orders/${id}/status`, { status: act.to }, `done.${act.name}`);
  }

  /** @param {string} id of an order @param {string} driverId @returns {Promise<boolean>} */
  assign(id, driverId) {
    return this._send(id, `v1/orders/${id}/assign`, { driver_id: driverId }, 'done.assign', this._work.fleet.driver(driverId)?.name ?? '');
  }

  /** @param {string} id */
  _pick(id) {
    const order = this._work.fleet.orders.get(id);
    if (order) pickDriver(this._board, this._work.fleet, order, (driverId) => this.assign(id, driverId));
  }

  /** Ask why. @param {string} id @param {Act} act */
  _ask(id, act) {
    const { words } = this._board;
    const outcome = /** @type {HTMLSelectElement} */ (el('select', { id: 'outcome' }, ...OUTCOMES.map((name) => el('option', { value: name }, words.say(`outcome.${name}`)))));
    const reason = /** @type {HTMLTextAreaElement} */ (el('textarea', { id: 'reason', maxlength: 500, rows: 2 }));
    const problem = el('p.problem', { role: 'alert' });
    const isFailure = act.to === 'failed';
    const submit = async (/** @type {Event} */ event) => {
      event.preventDefault();
      const more = { ...(isFailure && { outcome: outcome.value }), ...(reason.value.trim() && { reason: reason.value.trim() }) };
      if (await this._send(id, `v1/orders/${id}/status`, { status: act.to, ...more }, `done.${act.name}`, '', problem)) sheet.close();
    };
    const sheet = this._board.sheet(words.say(`act.${act.name}`),
      el('form', { onsubmit: submit },
        isFailure && el('label', { for: 'outcome' }, words.say('act.outcome')), isFailure && outcome,
        el('label', { for: 'reason' }, words.say('act.reason')), reason, problem,
        el('button.danger', { type: 'submit' }, words.say(`act.${act.name}`))));
  }

  /**
   * @param {string} id @param {string} path @param {object} body @param {string} done the text to announce @param {string} [driver]
   * @param {HTMLElement|null} [problem] where to say what went wrong @returns {Promise<boolean>} whether it is done
   */
  async _send(id, path, body, done, driver = '', problem = null) {
    const { api, words } = this._board;
    const order = this._work.fleet.orders.get(id);
    const version = Math.max(order?.version ?? 0, this._versions.get(id) ?? 0);
    try {
      const answer = await api.call('POST', path, body, version && !path.endsWith('/attempts') ? { 'If-Match': `"${version}"` } : {});
      this._versions.set(id, answer.version);
      this._board.announce(words.say(done, { name: nameOf(order ?? answer), driver }));
      return true;
    } catch (error) {
      this._versions.delete(id);
      const text = problemText(error, words);
      if (problem) problem.textContent = text;
      else this._board.announce(text);
      return false;
    }
  }
}
