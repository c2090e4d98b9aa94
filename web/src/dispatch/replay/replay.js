/** Replay: an order's way on the map with a slider over its time, and the fixes that were refused. */

import { el } from '../../drive/element.js';
import { Problem, problemText } from '../api.js';
import { FixTrack, countReasons } from './fix-track.js';

/** @typedef {import('./fix-track.js').Fix} Fix */

const PAGES = 40; // of 500 fixes: 5 hours at one a second
const FRAME = 50; // milliseconds
const PLAY_S = 20; // seconds for the whole way

export class Replay {
  /** @param {import('../board.js').Board} board @param {import('../work.js').Work} work @param {string} id of an order */
  constructor(board, work, id) {
    this._board = board;
    this._work = work;
    this._id = id;
    /** @type {FixTrack|null} */ this._track = null;
    /** @type {ReturnType<typeof setInterval>|undefined} */ this._playing = undefined;
    this.element = el('section.replay', { 'aria-label': board.words.say('replay.title') });
  }

  close() {
    clearInterval(this._playing);
    if (this._track) this._work.map.clearReplay();
    this._track = null;
  }

  /** An order that had a driver can be replayed. @param {{timestamps: Record<string, string|null>}} order */
  offer({ timestamps }) {
    if (this.element.firstChild || !timestamps.assigned) return;
    const { words } = this._board;
    this._open = el('button', { type: 'button', 'data-act': 'replay', onclick: () => this._load() }, words.say('replay.open'));
    this._status = el('p.quiet', { role: 'status' });
    this.element.append(el('h3', {}, words.say('replay.title')), this._open, this._status);
  }

  async _load() {
    const { words } = this._board;
    this._say(words.say('replay.loading'));
    try {
      const track = new FixTrack(await this._fixes());
      if (!track.believed.length) return this._say(words.say('replay.none'));
      this._track = track;
      this._show(track);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this._say(problemText(error, words));
    }
  }

  /** @returns {Promise<Fix[]>} */
  async _fixes() {
    /** @type {Fix[]} */ const all = [];
    let cursor = '';
    for (let page = 0; page < PAGES; page++) {
      const { items, next } = await this._board.api.get(`v1/orders/${this._id}/track.json?include=rejected&limit=500${cursor}`);
      all.push(...items);
      if (!next) break;
      cursor = `&cursor=${encodeURIComponent(next)}`;
    }
    return all;
  }

  /** @param {FixTrack} track */
  _show(track) {
    const { words } = this._board;
    this._slider = /** @type {HTMLInputElement} */ (el('input', {
      type: 'range', id: 'replay-time', min: track.begin, max: Math.max(track.end, track.begin + 1), step: 1_000, value: track.end,
      'aria-label': words.say('replay.time'), oninput: () => this._seek(),
    }));
    this._clock = el('output', { for: 'replay-time' });
    this._play = el('button', { type: 'button', 'data-act': 'play', onclick: () => this._toggle() }, words.say('replay.play'));
    const reasons = countReasons(track.rejected).map(([reason, count]) => words.say('replay.reason', { reason: reason.replaceAll('_', ' '), count }));
    this._open?.remove();
    this.element.append(el('div.player', {}, this._play, this._slider, this._clock),
      el('p.quiet', { 'data-rejected': track.rejected.length }, reasons.length ? words.say('replay.rejected', { count: track.rejected.length, reasons: words.list(reasons) }) : words.say('replay.clean')));
    this._say(words.say('replay.fixes', { count: track.believed.length }));
    this._work.map.showReplay(track.lines, track.rejected.map(({ lon, lat }) => [lon, lat]));
    this._seek();
  }

  /** @param {string} text */
  _say(text) {
    if (this._status) this._status.textContent = text;
  }

  _seek() {
    const { words } = this._board;
    const time = Number(this._slider?.value);
    const spot = this._track?.at(time);
    if (!spot || !this._clock || !this._slider) return;
    this._clock.textContent = words.clock(time);
    this._slider.setAttribute('aria-valuetext', this._clock.textContent);
    this._work.map.moveReplay([spot.lon, spot.lat]);
  }

  _toggle() {
    const { words } = this._board;
    const { _track: track, _slider: slider, _play: button } = this;
    if (!track || !slider || !button) return;
    const isPlaying = this._playing !== undefined;
    clearInterval(this._playing);
    this._playing = undefined;
    button.textContent = words.say(isPlaying ? 'replay.play' : 'replay.pause');
    if (isPlaying) return;
    if (Number(slider.value) >= track.end) slider.value = String(track.begin);
    const step = Math.max(1_000, ((track.end - track.begin) * FRAME) / (PLAY_S * 1_000));
    this._playing = setInterval(() => {
      slider.value = String(Number(slider.value) + step);
      this._seek();
      if (Number(slider.value) + 1_000 >= track.end) this._toggle();
    }, FRAME);
  }
}
