/** Page: writes the card into the server's HTML, and changes only what differs. */

import { initial } from './name.js';
import { Translations } from './translations.js';

/** @typedef {import('./card.js').Card} Card */
/** @typedef {import('../types/order.js').State} State */

const TEXTS = /** @type {const} */ (['eyebrow', 'headline', 'estimate', 'late', 'reason', 'next', 'stops', 'place']);

/** The texts that the server chose for a page. @param {Document} page @returns {Translations} */
export function wordsOf(page) {
  const { language, messages, locale } = JSON.parse(page.getElementById('words')?.textContent ?? '');
  return new Translations(language, messages, locale);
}

/** Whether the delivery has a time that a calendar can take. @param {Card} card @param {State} state */
function isAhead({ phase }, { eta, order: { window } }) {
  return (phase === 'waiting' || phase === 'moving') && Boolean(eta?.arrives_at || (window?.from && window.to));
}

export class Page {
  /** @param {Document|ShadowRoot} root of the server's HTML @param {import('./translations.js').Translations} words */
  constructor(root, words) {
    this.root = root;
    this.words = words;
  }

  /** @param {string} id @returns {HTMLElement} */
  element(id) {
    return /** @type {HTMLElement} */ (this.root.getElementById(id));
  }

  /** @param {string} id @param {string} text an empty one hides the element */
  write(id, text) {
    const target = this.element(id);
    if (target.textContent !== text) target.textContent = text;
    target.hidden = text === '';
  }

  /** @param {Card} card @param {State} state @param {string} photo its address; empty: there is none */
  writeCard(card, state, photo) {
    this.element('card').dataset.phase = card.phase;
    for (const name of TEXTS) this.write(name, card[name]);
    this.element('headline').classList.toggle('old', card.stale);
    this._writeCode(card.code);
    this._writePhoto(photo);
    this.element('calendar').hidden = !isAhead(card, state);
    this.element('ring-done').setAttribute('stroke-dashoffset', String(100 - Math.round(card.progress * 100)));
    this.element('steps').hidden = card.phase === 'over';
    card.steps.forEach((done, i) => this._writeStep(i, done, i === card.current));
    this._writeCourier(state.driver, card.phase === 'done');
    this.write('address', state.order.dropoff.address ?? this.words.say('address.none'));
  }

  /** Screen readers say digit after digit. @param {string} code may be empty */
  _writeCode(code) {
    this.element('code').hidden = code === '';
    this.write('code-digits', code);
    this.write('code-spoken', [...code].join(' '));
  }

  /** @param {string} address may be empty */
  _writePhoto(address) {
    const photo = /** @type {HTMLImageElement} */ (this.element('photo'));
    photo.hidden = address === '';
    if (address && photo.getAttribute('src') !== address) photo.src = address;
  }

  /** @param {number} i @param {number} done @param {boolean} current */
  _writeStep(i, done, current) {
    const step = this.element('steps').children[i];
    if (i === 0) this.write('first-step', this.words.say(current ? 'step.picking_up' : 'step.picked_up'));
    const status = step.querySelector('.status');
    if (status) status.textContent = this.words.say(current ? 'step.current' : done ? 'step.done' : 'step.ahead');
    step.querySelector('.done')?.setAttribute('width', `${Math.round(done * 100)}%`);
    step.toggleAttribute('aria-current', current);
    if (current) step.setAttribute('aria-current', 'step');
  }

  /** @param {State['driver']} driver @param {boolean} done */
  _writeCourier(driver, done) {
    this.element('courier').hidden = !driver;
    this.element('ring').hidden = !driver && !done;
    if (done) this.element('vehicle-icon').setAttribute('href', '#icon-done');
    if (!driver) return;
    this.write('courier-name', driver.name || this.words.say('courier.unnamed'));
    this.write('courier-vehicle', this.words.say(`vehicle.${driver.vehicle}`));
    this.write('courier-initial', initial(driver.name) || '?');
    if (!done) this.element('vehicle-icon').setAttribute('href', `#icon-${driver.vehicle}`);
  }

  /** @param {string} kind live, waiting, stale, offline or over @param {string} text @param {string} title */
  writePill(kind, text, title) {
    const pill = this.element('pill');
    pill.dataset.kind = kind;
    pill.hidden = text === '';
    if (pill.title !== title) pill.title = title;
    this.write('pill-words', text);
  }
}
