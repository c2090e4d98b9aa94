/** Page: writes what the card says into the server's HTML, touching only what changed. */

import { VEHICLES } from './card.js';

/** @typedef {import('./card.js').Card} Card */
/** @typedef {import('./state.js').State} State */

/** @param {string} id @returns {HTMLElement} */
export function element(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

/** @param {string} id @param {string} words an empty one hides the element */
export function write(id, words) {
  const target = element(id);
  if (target.textContent !== words) target.textContent = words;
  target.hidden = words === '';
}

/** @param {Card} card @param {State} state */
export function writeCard(card, state) {
  element('card').dataset.phase = card.phase;
  write('eyebrow', card.eyebrow);
  write('headline', card.headline);
  write('estimate', card.estimate);
  write('stops', card.stops);
  write('note', state.note ? `“${state.note.text}”` : '');
  element('ring-done').setAttribute('stroke-dashoffset', String(100 - Math.round(card.progress * 100)));
  element('steps').hidden = card.phase === 'over';
  card.steps.forEach((done, i) => writeStep(i, done, i === card.current));
  writeCourier(state.driver);
  const title = `${card.headline} · Track your order`;
  if (document.title !== title) document.title = title;
}

/** @param {number} i @param {number} done @param {boolean} current */
function writeStep(i, done, current) {
  const step = element('steps').children[i];
  if (i === 0) write('first-step', current ? 'Picking up' : 'Picked up');
  step.querySelector('.done')?.setAttribute('width', `${Math.round(done * 100)}%`);
  step.toggleAttribute('aria-current', current);
  if (current) step.setAttribute('aria-current', 'step');
}

/** @param {State['driver']} driver */
function writeCourier(driver) {
  element('courier').hidden = !driver;
  const done = element('card').dataset.phase === 'done';
  element('ring').hidden = !driver && !done;
  if (done) element('vehicle-icon').setAttribute('href', '#icon-done');
  if (!driver) return;
  write('courier-name', driver.name || 'Your courier');
  write('courier-vehicle', VEHICLES[driver.vehicle] ?? '');
  write('courier-initial', (driver.name || '?').slice(0, 1).toUpperCase());
  if (!done) element('vehicle-icon').setAttribute('href', `#icon-${driver.vehicle}`);
}

/** @param {string} kind live, waiting, offline or over @param {string} words */
export function writePill(kind, words) {
  element('pill').dataset.kind = kind;
  write('pill-words', words);
}
