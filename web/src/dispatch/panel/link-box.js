/** LinkBox: the customer's link, to copy, show as a QR code, or send with an app. */

import { el } from '../../drive/element.js';
import { problemText } from '../api.js';
import { nameOf } from '../list/order-row.js';
import { shareLinks } from './share-links.js';

/** @typedef {import('../board.js').Board} Board */

/** @param {Board} board @param {{id: string, reference: string|null, tracking_url: string|null, customer: any}} order @returns {HTMLElement} */
export function linkBox(board, order) {
  const { words } = board;
  const { tracking_url: url, customer } = order;
  if (!url) return el('p.quiet', {}, words.say('link.none'));
  const text = words.say('link.message', { url });
  const apps = shareLinks(text, words.say('link.subject', { name: nameOf(order) }), customer);
  return el('section', { 'aria-label': words.say('link.title') },
    el('h3', {}, words.say('link.title')),
    el('p.link', {}, el('a', { href: url, target: '_blank', rel: 'noopener' }, words.say('link.open'))),
    el('div.acts', {},
      el('button', { type: 'button', 'data-act': 'copy', onclick: () => copy(board, url) }, words.say('link.copy')),
      el('button', { type: 'button', 'data-act': 'qr', onclick: () => showQr(board, url, words.say('link.title')) }, words.say('link.qr')),
      ...apps.map((app) => el('a.button', { href: app.url, target: '_blank', rel: 'noopener', 'data-app': app.name }, words.say(`link.${app.name}`)))));
}

/** @param {Board} board @param {string} text */
export async function copy(board, text) {
  try {
    await navigator.clipboard.writeText(text);
    board.announce(board.words.say('link.copied'));
  } catch {
    const field = el('input', { readonly: true, value: text, 'aria-label': board.words.say('link.copy'), onfocus: (/** @type {Event} */ event) => /** @type {HTMLInputElement} */ (event.target).select() });
    board.sheet(board.words.say('link.copy'), field); // plain http: the browser does not let a page copy
  }
}

/** @param {Board} board @param {string} text to encode @param {string} title @param {...(Node|string)} more below it */
export async function showQr(board, text, title, ...more) {
  try {
    const { image } = await board.api.call('POST', 'v1/qr', { text });
    const picture = el('img.qr', { src: image, alt: board.words.say('link.qr.alt') });
    board.sheet(title, picture, ...more);
  } catch (error) {
    board.announce(problemText(error, board.words));
  }
}
