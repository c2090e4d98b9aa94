/** OrderForm: a new order from an address, and afterwards its link to share. */

import { el } from '../../drive/element.js';
import { problemText, Problem } from '../api.js';
import { randomId } from '../../random-id.js';
import { Combobox } from './combobox.js';
import { keyOf } from './list/creation.js';
import { bodyOf, faultsOf, fieldOf } from './order-draft.js';
import { keepPickup, lastPickup } from './last-pickup.js';
import { PlaceMap } from './place-map.js';
import { proofField } from './proof-field.js';
import { driverSearch } from './searches.js';
import { shareBox } from '../share/share-box.js';
import { StopField } from './stop-field.js';

/** @typedef {import('../board.js').Board} Board */
/** @typedef {import('./order-draft.js').Draft} Draft */

export const LANGUAGES = ['en', 'de', 'fr', 'es', 'fi', 'sv', 'ar', 'ja']; // of the customers' pages
const TEXTS = ['name', 'phone', 'email', 'language', 'reference', 'instructions', 'from', 'to'];

/** @param {Board} board */
export function openOrderForm(board) {
  return new OrderForm(board);
}

class OrderForm {
  /** @param {Board} board */
  constructor(board) {
    this._board = board;
    this._key = randomId();
    /** @type {string|null} */ this._driver = null;
    this._map = new PlaceMap(board, { onMove: (place) => this._dropoff.put(place) });
    const near = () => this._pickup.place;
    this._pickup = new StopField(board, 'pickup', board.words.say('new.pickup'), { near, onPlace: () => this._showPlaces() });
    this._dropoff = new StopField(board, 'dropoff', board.words.say('new.dropoff'), { near, onPlace: () => this._showPlaces() });
    this._problem = el('p.problem', { role: 'alert' });
    this._form = /** @type {HTMLFormElement} */ (this._build());
    this._sheet = board.sheet(board.words.say('new.title'), this._form);
    this._sheet.classList.add('order-sheet');
    this._sheet.addEventListener('close', () => this._map.remove());
    this._begin();
  }

  _begin() {
    const kept = lastPickup(this._board.service, this._board.fleet.orders.values());
    if (kept) this._pickup.fill(kept);
    (kept ? this._dropoff : this._pickup).input.focus();
  }

  _build() {
    const { words } = this._board;
    const say = (/** @type {string} */ name) => words.say(name);
    this._submit = /** @type {HTMLButtonElement} */ (el('button.primary', { type: 'submit' }, say('new.create')));
    return el('form', { novalidate: true, onsubmit: (/** @type {Event} */ event) => (event.preventDefault(), this._send()) },
      this._pickup.element, this._dropoff.element, this._map.element,
      el('div.pair', {}, this._text('name', { autocomplete: 'off' }), this._text('phone', { type: 'tel', autocomplete: 'off', dir: 'ltr' })),
      el('div.pair', {}, this._text('from', { type: 'datetime-local' }), this._text('to', { type: 'datetime-local' })),
      this._text('instructions', {}, 'textarea'), this._driverField(),
      el('details', {}, el('summary', {}, say('new.more')), el('div.more', {},
        el('div.pair', {}, this._text('email', { type: 'email', autocomplete: 'off', dir: 'ltr' }), this._text('reference')),
        this._languageField(), proofField(say))),
      this._problem, this._submit);
  }

  /** @param {string} name @param {Record<string, unknown>} [properties] @param {string} [tag] */
  _text(name, properties = {}, tag = 'input') {
    const id = `new-${name}`;
    const field = el(tag, { id, name, ...properties });
    return el('div.field', {}, el('label', { for: id }, this._board.words.say(`field.${name}`)), field, el('p.problem', { id: `${id}-problem` }));
  }

  _languageField() {
    const names = new Intl.DisplayNames([this._board.words.locale], { type: 'language' });
    const options = ['', ...LANGUAGES].map((tag) => el('option', { value: tag }, tag ? names.of(tag) ?? tag : this._board.words.say('new.any_language')));
    return el('div.field', {}, el('label', { for: 'new-language' }, this._board.words.say('field.language')), el('select', { id: 'new-language', name: 'language' }, ...options));
  }

  _driverField() {
    const { words } = this._board;
    const label = words.say('new.driver');
    this._driverBox = new Combobox({ id: 'new-driver', label, words, minimum: 1, delay: 0, search: driverSearch(this._board), onPick: (option) => (this._driver = option?.value ?? null) });
    this._driverBox.input.placeholder = words.say('new.later');
    return el('div.field', {}, el('label', { for: 'new-driver' }, label), this._driverBox.element, el('p.problem', { id: 'new-driver-problem' }));
  }

  /** @returns {Draft} */
  get _draft() {
    const values = new FormData(this._form);
    return {
      pickup: this._pickup.stop, dropoff: this._dropoff.stop, driver: this._driver, proofs: values.getAll('proof').map(String),
      texts: Object.fromEntries(TEXTS.map((name) => [name, String(values.get(name) ?? '')])),
    };
  }

  _showPlaces() {
    const [from, to] = [this._pickup.place, this._dropoff.place];
    this._map.setDots(from ? [{ id: 0, ...from, kind: 'pickup' }] : []);
    this._map.setPin(to, this._dropoff.stop.text);
    if (!this._dropoff.pin) this._map.look(to ? [to] : from ? [from] : []);
  }

  async _send() {
    const draft = this._draft;
    const { words } = this._board;
    this._clear();
    const faults = faultsOf(draft, (name) => words.say(name));
    if (draft.driver === null && this._driverBox?.text) faults.push(['driver', words.say('new.which_driver')]);
    if (faults.length) return this._show(faults);
    this._busy(true);
    try {
      this._created(await this._post(bodyOf(draft)).catch((error) => {
        if (this._isPicked(error, draft)) return this._post(bodyOf(draft, true));
        throw error;
      }));
    } catch (error) {
      this._refused(error);
    }
    this._busy(false);
  }

  /** Whether the address that is doubtful for the service is one that a person took from the suggestions. @param {unknown} error @param {Draft} draft */
  _isPicked(error, draft) {
    const doubtful = error instanceof Problem ? error.errors.filter(({ candidates }) => candidates) : [];
    return doubtful.length > 0 && doubtful.every(({ field }) => draft[field === 'pickup.address' ? 'pickup' : 'dropoff'].picked);
  }

  /** The same order from this form is created once, however often it is sent. @param {object} body */
  async _post(body) {
    return this._board.api.post('v1/orders', body, `${this._key}-${await keyOf(body)}`);
  }

  /** @param {unknown} error */
  _refused(error) {
    const { words } = this._board;
    const errors = error instanceof Problem ? error.errors : [];
    const known = errors.filter(({ field }) => fieldOf(field));
    this._show(known.map(({ field, detail, candidates }) => [fieldOf(field), candidates ? words.say(candidates.length ? 'new.choose' : 'new.unknown') : detail]));
    for (const { field, candidates } of known) {
      const stop = fieldOf(field) === 'pickup' ? this._pickup : this._dropoff;
      if (candidates) stop.offer(/** @type {any} */ (candidates));
    }
    if (known.length < errors.length || !errors.length) this._problem.textContent = problemText(error, words);
  }

  /** @param {[string, string][]} faults */
  _show(faults) {
    for (const [name, text] of faults) {
      const id = ['pickup', 'dropoff'].includes(name) ? name : `new-${name}`;
      const field = this._form.querySelector(`#${id}`);
      const problem = this._form.querySelector(`#${id}-problem`);
      if (problem) problem.textContent = text;
      field?.setAttribute('aria-invalid', 'true');
      field?.setAttribute('aria-describedby', `${id}-problem`);
      if (field?.closest('details')) /** @type {HTMLDetailsElement} */ (field.closest('details')).open = true;
    }
    const first = this._form.querySelector('[aria-invalid]');
    if (first instanceof HTMLElement) first.focus();
  }

  _clear() {
    this._problem.textContent = '';
    for (const problem of this._form.querySelectorAll('.problem')) problem.textContent = '';
    for (const field of this._form.querySelectorAll('[aria-invalid]')) field.removeAttribute('aria-invalid');
  }

  /** @param {boolean} isBusy */
  _busy(isBusy) {
    if (this._submit) this._submit.disabled = isBusy;
  }

  /** @param {{id: string, tracking_url: string, pickup: import('./last-pickup.js').Pickup, customer: {phone?: string, email?: string}|null}} order */
  _created({ id, tracking_url: url, pickup, customer }) {
    const { words } = this._board;
    keepPickup(this._board.service, { address: pickup.address ?? '', lat: pickup.lat, lon: pickup.lon });
    this._map.remove();
    const again = el('button', { type: 'button', onclick: () => (this._sheet.close(), openOrderForm(this._board)) }, words.say('new.another'));
    const show = el('button', { type: 'button', onclick: () => (this._sheet.close(), this._board.select('order', id)) }, words.say('new.show'));
    const done = el('h3', { tabindex: -1 }, words.say('new.created'));
    this._form.replaceWith(el('div.created', {}, done, shareBox(this._board, { url, phone: customer?.phone, email: customer?.email }), el('div.buttons', {}, again, show)));
    done.focus();
  }
}
