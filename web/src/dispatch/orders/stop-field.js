/** StopField: the address of a stop with suggestions, the places to choose from when it is doubtful, and its pin. */

import { el } from '../../drive/element.js';
import { Combobox } from './combobox.js';
import { addressSearch } from './searches.js';

/** @typedef {import('./order-draft.js').Place} Place */
/** @typedef {import('./order-draft.js').Stop} Stop */
/** @typedef {Place & {address: string, precision: string}} Found */

export class StopField {
  /**
   * @param {import('../board.js').Board} board @param {string} id `pickup` or `dropoff` @param {string} label
   * @param {{near: () => Place|null, onPlace: () => void}} hooks onPlace: its place has changed
   */
  constructor(board, id, label, { near, onPlace }) {
    this._board = board;
    this._onPlace = onPlace;
    /** @type {Found|null} */ this.picked = null;
    /** @type {Place|null} */ this.pin = null;
    this._box = new Combobox({
      id, label, words: board.words, search: addressSearch(board, near), onPick: (option) => this._pick(option?.value ?? null),
    });
    this._choices = el('div.choices');
    this._note = el('p.quiet', { id: `${id}-note` });
    this._problem = el('p.problem', { id: `${id}-problem` });
    this.input = this._box.input;
    this.element = el('div.field', {}, el('label', { for: id }, label), this._box.element, this._note, this._problem, this._choices);
  }

  /** @returns {Stop} */
  get stop() {
    return { text: this._box.text, picked: this.picked, pin: this.pin };
  }

  /** Where it is, as far as known. @returns {Place|null} */
  get place() {
    return this.pin ?? this.picked;
  }

  /** @param {{address: string, lat?: number, lon?: number}} kept */
  fill({ address, lat, lon }) {
    this._box.text = address;
    if (lat !== undefined && lon !== undefined) this.put({ lat, lon });
  }

  /** Take the place of the pin. @param {Place} place */
  put(place) {
    this.pin = place;
    this._say('new.pinned');
    this._onPlace();
  }

  clear() {
    this._box.text = '';
    this._pick(null);
  }

  /** Say why it cannot be taken, and what may be meant. @param {string} why @param {readonly Found[]} candidates */
  refuse(why, candidates) {
    this._problem.textContent = why;
    this.input.setAttribute('aria-invalid', 'true');
    this.input.setAttribute('aria-describedby', this._problem.id);
    this.offer(candidates);
    this.input.focus();
  }

  /** There is nothing wrong with it any more. */
  accept() {
    this._problem.textContent = '';
    this.input.removeAttribute('aria-invalid');
    this.input.removeAttribute('aria-describedby');
  }

  /** Let a person choose where a doubtful address is. @param {readonly Found[]} candidates */
  offer(candidates) {
    this._choices.replaceChildren(...candidates.map((found) => el('button', {
      type: 'button', onclick: () => {
        this.picked = found;
        this._choices.replaceChildren();
        this.accept();
        this.put({ lat: found.lat, lon: found.lon });
        this.input.focus();
      },
    }, el('bdi', {}, found.address))));
  }

  /** @param {Found|null} found */
  _pick(found) {
    this.picked = found;
    this.pin = null;
    this.accept();
    this._choices.replaceChildren();
    if (found && found.precision !== 'house') this._say(`new.rough_${found.precision}`);
    else this._note.textContent = '';
    this._onPlace();
  }

  /** @param {string} name of a text */
  _say(name) {
    this._note.textContent = this._board.words.say(name);
  }
}
