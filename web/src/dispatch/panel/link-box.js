/** LinkBox: the customer's link, to copy, show as a QR code, or send with an app. */

import { el } from '../../drive/element.js';
import { nameOf } from '../list/order-row.js';
import { copyText } from '../share/copy.js';
import { showQr } from '../share/qr-code.js';
import { shareLinks } from '../share/share-links.js';

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
      el('button', { type: 'button', 'data-act': 'copy', onclick: () => copyText(board, url) }, words.say('link.copy')),
      el('button', { type: 'button', 'data-act': 'qr', onclick: () => showQr(board, url, words.say('link.title')) }, words.say('link.qr')),
      ...apps.map((app) => el('a.button', { href: app.url, target: '_blank', rel: 'noopener', 'data-app': app.name }, words.say(`link.${app.name}`)))));
}
