/** Acts: what the shop lets its customers do on the page: instruct the courier, move the pin, rate. */

import { ActForm } from './act-form.js';
import { NotSent } from './link.js';

/** @typedef {import('./path.js').LonLat} LonLat */
/** @typedef {import('../types/order.js').State} State */
/** @typedef {import('./map-area.js').MapArea} MapArea */

const STAR_NAMES = ['1', '2', '3', '4', '5'];

export class Acts {
  /**
   * @param {import('./page.js').Page} page
   * @param {import('./stream.js').OrderStream} stream
   * @param {() => MapArea|null} map
   */
  constructor(page, stream, map) {
    this._page = page;
    this._map = map;
    this._may = new Set((page.element('tracker').dataset.may ?? '').split(' '));
    /** @type {LonLat|null} */ this._moved = null; // the pin's place while the customer moves it
    /** @type {LonLat} */ this._door = [0, 0];
    /** @type {string|null} */ this._told = null; // the instructions that the box shows
    this._isRated = false; // sent from this page: the stream is over by then, so no state tells of it
    this._text = /** @type {HTMLTextAreaElement} */ (page.element('instruct-text'));
    this._comment = /** @type {HTMLTextAreaElement} */ (page.element('rate-text'));
    new ActForm(page, 'instruct-form', () => stream.act('instructions', { text: this._text.value.trim() }), 'instruct.saved');
    this._place = new ActForm(page, 'place-form', () => this._savePlace(stream), 'place.saved');
    new ActForm(page, 'rate-form', () => this._sendRating(stream), 'rate.thanks');
    this._listen();
  }

  _listen() {
    const box = this._page.element('place-box');
    box.addEventListener('toggle', () => (box.hasAttribute('open') ? this._begin() : this._stop()));
    this._page.element('place-here').addEventListener('click', () => this._locate());
    this._page.element('rate-form').addEventListener('change', () => this._showStars());
    this._showStars();
  }

  /** Show what can be done now. @param {State} state @param {string} phase of the card @param {boolean} isOver no connection any more */
  show(state, phase, isOver) {
    const { dropoff, instructions = null, rating, status } = state.order;
    const isOpen = (phase === 'moving' || phase === 'waiting') && !isOver;
    const isEnded = ['delivered', 'failed', 'cancelled'].includes(status);
    this._door = [dropoff.lon, dropoff.lat];
    if (instructions !== this._told && this._page.root.activeElement !== this._text) this._text.value = instructions ?? '';
    this._told = instructions;
    this._page.element('instruct-box').hidden = !(isOpen && this._may.has('instruct'));
    this._page.element('place-box').hidden = !(isOpen && this._may.has('move_pin'));
    this._isRated ||= Boolean(rating);
    this._page.element('rate-form').hidden = !(isEnded && this._may.has('rate') && !this._isRated);
    this._page.element('rated').hidden = !this._isRated;
    if (!isOpen) this._page.element('place-box').removeAttribute('open');
  }

  // --- the pin

  _begin() {
    this._moved = null;
    this._place.answer('', '');
    this._map()?.movePin(this._door, (at) => (this._moved = at));
  }

  _stop() {
    this._map()?.fixPin(this._door);
    this._moved = null;
  }

  /** @param {import('./stream.js').OrderStream} stream */
  async _savePlace(stream) {
    const [lon, lat] = this._moved ?? this._door;
    await stream.act('place', { lat: round(lat), lon: round(lon) });
    this._door = [lon, lat];
  }

  /** Move the pin to where the device is. */
  _locate() {
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => this._map()?.putPin([coords.longitude, coords.latitude]),
      () => this._place.answer('refused', 'place.unknown'),
      { enableHighAccuracy: true, maximumAge: 0, timeout: 10_000 },
    );
  }

  // --- the rating

  get _stars() {
    const chosen = /** @type {HTMLInputElement|null} */ (this._page.element('rate-form').querySelector('input:checked'));
    return STAR_NAMES.indexOf(chosen?.value ?? '') + 1;
  }

  /** The comment and the button appear with the first star. */
  _showStars() {
    for (const id of ['rate-text', 'rate-send']) this._page.element(id).hidden = !this._stars;
  }

  /** @param {import('./stream.js').OrderStream} stream */
  async _sendRating(stream) {
    const text = this._comment.value.trim();
    await stream.act('rating', { stars: this._stars, ...(text && { text }) }).catch((refusal) => {
      if (!(refusal instanceof NotSent) || refusal.status !== 409) throw refusal; // 409: it is rated already
    });
    this._isRated = true;
    this._page.element('rate-form').hidden = true;
    this._page.element('rated').hidden = false;
    this._page.element('rated').focus();
  }
}

/** @param {number} degrees @returns {number} with 0.1 m */
function round(degrees) {
  return Math.round(degrees * 1e6) / 1e6;
}
