/** OrderPanel: an order with its acts, link, timeline and replay. */

import { el, renew } from '../../drive/element.js';
import { Problem, problemText } from '../api.js';
import { Replay } from '../replay/replay.js';
import { actButtons } from './act-buttons.js';
import { factList } from './fact-list.js';
import { linkBox } from './link-box.js';
import { orderFacts } from './order-facts.js';
import { timelineRows } from './timeline.js';

export class OrderPanel {
  /** @param {import('../board.js').Board} board @param {import('../work.js').Work} work @param {string} id */
  constructor(board, work, id) {
    this._board = board;
    this._work = work;
    this._id = id;
    /** @type {any} */ this._history = null;
    this._loaded = ''; // what of the order the history belongs to
    this._facts = el('div.facts');
    this._acts = el('div.acts');
    this._link = el('div.share');
    this._problem = el('p.problem', { role: 'alert' });
    this._timeline = el('div.timeline');
    this._replay = new Replay(board, work, id);
    this.element = el('div.sections', {}, this._facts, this._problem, this._acts, this._link, this._timeline, this._replay.element);
  }

  get title() {
    return orderFacts(this._id, this._work, this._board.words, this._history?.order).title;
  }

  close() {
    this._replay.close();
  }

  draw() {
    const { words } = this._board;
    const { facts } = orderFacts(this._id, this._work, words, this._history?.order);
    renew(this._facts, facts, () => [factList(facts)]);
    this._drawActs();
    const order = this._work.fleet.orders.get(this._id);
    const wanted = order ? `${order.version} ${order.status}` : 'over';
    if (wanted === this._loaded) return;
    this._loaded = wanted;
    this._load();
  }

  async _load() {
    try {
      this._history = await this._board.api.get(`v1/orders/${this._id}/history?limit=500`);
      this._problem.textContent = '';
      this._drawHistory();
      this.draw();
      this._work.retitle();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this._problem.textContent = problemText(error, this._board.words);
    }
  }

  _drawActs() {
    const { words, mayChange } = this._board;
    const status = this._work.fleet.orders.get(this._id)?.status ?? this._history?.order.status ?? '';
    renew(this._acts, [status, mayChange], () => (mayChange ? actButtons(status, words, (act, opener) => this._work.acts.run(this._id, act, opener)) : []));
  }

  _drawHistory() {
    const { words } = this._board;
    const { order, timeline } = this._history;
    renew(this._link, [order.tracking_url, order.customer], () => [linkBox(this._board, order)]);
    const name = (/** @type {string} */ id) => this._work.fleet.driver(id)?.name ?? words.say('driver.unknown');
    const rows = timelineRows(timeline, name, words, this._work.now);
    renew(this._timeline, rows, () => [
      el('h3', { tabindex: -1 }, words.say('timeline.title')),
      el('ol', {}, ...rows.map(({ at, time, text, kind }) => el('li', { 'data-kind': kind }, el('time', { datetime: at }, time), ' ', el('bdi', {}, text)))),
    ]);
    this._replay.offer(order);
  }
}
