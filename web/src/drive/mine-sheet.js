/** Mine sheet: what is stored about the driver, for how long, who has looked, and the driver's own copy of it. */

import { el, renew } from './element.js';
import { FORMATS, MineFailed, rowsOf } from './mine.js';
import { openSheet } from './sheet.js';

/** @typedef {import('../../types/driver.js').Opening} Opening */
/** @typedef {import('../../types/driver.js').StoredAboutMe} StoredAboutMe */
/** @typedef {import('./mine.js').Format} Format */

const PRIVACY = ['shop', 'customers', 'duty', 'kept', 'rights'];

export class MineSheet {
  /** @param {import('./translations.js').Translations} words @param {import('./mine.js').Mine} mine */
  constructor(words, mine) {
    this._words = words;
    this._mine = mine;
    /** @type {Opening[]} */ this._openings = [];
    this._record = el('div.mine', {});
    this._answer = el('p.problem', { role: 'status' });
    this._list = el('div.mine', {});
    openSheet(words, words.say('mine.title'), this._record, this._answer, this._list, this._privacy());
    this._load();
  }

  async _load() {
    await this._try('loading', async () => {
      const [stored, page] = await Promise.all([this._mine.record(), this._mine.openings(null)]);
      renew(this._record, stored, () => [this._rows(stored), ...this._breaks(stored), ...this._export()]);
      this._showOpenings(page);
    });
    if (this._record.childElementCount) return;
    const retry = el('button', { type: 'button', 'data-focus': 'retry', onclick: () => this._load() }, this._words.say('retry'));
    renew(this._list, 'retry', () => [retry]);
  }

  /** @param {StoredAboutMe} stored */
  _rows(stored) {
    const rows = rowsOf(stored, this._words);
    return el('dl', {}, ...rows.map(({ name, values }) => el('div', {}, el('dt', {}, this._words.say(`mine.${name}`)),
      ...values.map((value) => el('dd', {}, el('bdi', {}, value))))));
  }

  /** Times off duty and on breaks. @param {StoredAboutMe} stored */
  _breaks({ duty_intervals: intervals, fixes_kept_days: days }) {
    const words = this._words;
    if (!intervals.length) return [];
    const times = intervals.map(({ duty, begun_at: from, ended_at: to }) => el('li', {}, words.say(`mine.duty.${duty}`), ' ',
      el('bdi', {}, words.say(to ? 'mine.between' : 'mine.lasts', { from: words.moment(from), to: to ? words.moment(to) : '' }))));
    return [el('details', {}, el('summary', { 'data-focus': 'breaks' }, words.say('mine.breaks', { count: intervals.length })),
      el('p.quiet', {}, words.say('mine.days', { count: days + 1 })), el('ol.times', {}, ...times))];
  }

  _export() {
    const words = this._words;
    return [el('h3', {}, words.say('mine.export')), el('p.quiet', {}, words.say('mine.export.what')),
      el('div.row', {}, ...FORMATS.map((format) => el('button', { type: 'button', 'data-focus': format, onclick: () => this._save(format) },
        words.say(`mine.export.${format}`))))];
  }

  /** @param {Format} format */
  async _save(format) {
    await this._try('preparing', async () => {
      const url = URL.createObjectURL(await this._mine.positions(format));
      el('a', { href: url, download: `positions-${new Date().toISOString().slice(0, 10)}.${format}` }).click();
      setTimeout(() => URL.revokeObjectURL(url), 60_000); // some browsers read it after the click
    });
  }

  /** @param {{items: Opening[], next: string|null}} page */
  _showOpenings({ items, next }) {
    const words = this._words;
    this._openings = [...this._openings, ...items];
    renew(this._list, [this._openings, next], () => [
      el('h3', { tabindex: -1 }, words.say('mine.openings')),
      el('p.quiet', {}, words.say(this._openings.length ? 'mine.openings.what' : 'mine.openings.none')),
      this._openings.length > 0 && el('ol.times', {}, ...this._openings.map(({ at, reference, order_id: id }) =>
        el('li', {}, words.moment(at), ' · ', el('bdi', {}, reference ?? id)))),
      next && el('button', { type: 'button', 'data-focus': 'more', onclick: () => this._more(next) }, words.say('mine.more')),
    ]);
  }

  /** @param {string} cursor */
  async _more(cursor) {
    await this._try('loading', async () => this._showOpenings(await this._mine.openings(cursor)));
  }

  _privacy() {
    const words = this._words;
    return el('details', {}, el('summary', { 'data-focus': 'privacy' }, words.say('privacy.title')),
      ...PRIVACY.map((name) => el('p', {}, words.say(`privacy.${name}`))));
  }

  /** Say what is going on, and why it failed. @param {string} doing @param {() => Promise<unknown>} act */
  async _try(doing, act) {
    this._say(doing);
    try {
      await act();
      this._say('');
    } catch (error) {
      if (!(error instanceof MineFailed)) throw error;
      this._say(error.why);
    }
  }

  /** @param {string} name of a text, or empty */
  _say(name) {
    this._answer.className = name === 'loading' || name === 'preparing' ? 'quiet' : 'problem';
    this._answer.textContent = name && this._words.say(`mine.${name}`);
  }
}
