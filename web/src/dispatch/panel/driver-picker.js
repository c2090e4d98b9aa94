/** DriverPicker: a sheet to choose the driver of an order, by typing or from the likeliest. */

import { el, renew } from '../../drive/element.js';
import { moveFocus } from '../list/row-keys.js';
import { nameOf } from '../list/order-row.js';
import { choiceText, choices } from './driver-choice.js';

const SHOWN = 12;

/**
 * @param {import('../board.js').Board} board @param {import('../fleet/fleet.js').Fleet} fleet
 * @param {import('../../../types/fleet.js').FleetOrder} order @param {(driverId: string) => Promise<boolean>} onPick
 */
export function pickDriver(board, fleet, order, onPick) {
  const { words } = board;
  const field = /** @type {HTMLInputElement} */ (el('input', { type: 'search', id: 'pick', autocomplete: 'off', 'aria-label': words.say('pick.search'), placeholder: words.say('pick.search') }));
  const list = el('ul.picks', { onkeydown: (/** @type {KeyboardEvent} */ event) => moveFocus(event, list, '.row') });
  const none = el('p.none', {}, words.say('pick.none'));
  const pick = async (/** @type {string} */ id) => (await onPick(id)) && sheet.close();
  const draw = () => {
    const found = choices(fleet.drivers.values(), order, field.value, SHOWN);
    none.hidden = found.length > 0;
    renew(list, found.map((choice) => [choice.driver.id, choice.driver.name, choiceText(choice, words)]), () => found.map((choice) => el('li', {},
      el('button.row', { type: 'button', 'data-driver': choice.driver.id, onclick: () => pick(choice.driver.id) },
        el('b', {}, el('bdi', {}, choice.driver.name)), el('span.to', {}, choiceText(choice, words))))));
  };
  field.addEventListener('input', draw);
  field.addEventListener('keydown', (event) => {
    const first = /** @type {HTMLElement|null} */ (list.querySelector('.row'));
    if (!first || !['ArrowDown', 'Enter'].includes(event.key)) return;
    event.preventDefault();
    if (event.key === 'ArrowDown') first.focus();
    else first.click();
  });
  const sheet = board.sheet(words.say('pick.title', { name: nameOf(order) }), field, list, none);
  draw();
  field.focus();
}
