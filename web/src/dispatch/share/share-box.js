/** ShareBox: a tracking link to copy, to scan, or to send by text message, WhatsApp or mail. */

import { el } from '../../drive/element.js';
import { copyText } from './copy.js';
import { qrCode } from './qr-code.js';
import { shareLinks } from './share-links.js';

/** @typedef {import('../board.js').Board} Board */

/** @param {Board} board @param {{url: string, phone?: string|null, email?: string|null}} shared @returns {HTMLElement} */
export function shareBox(board, shared) {
  const { words } = board;
  const text = words.say('link.message', { url: shared.url });
  const apps = shareLinks(text, words.say('share.subject'), shared);
  const field = /** @type {HTMLInputElement} */ (el('input', { id: 'share-url', readonly: true, value: shared.url, dir: 'ltr', onfocus: () => field.select() }));
  const copy = el('button', { type: 'button', onclick: () => copyText(board, shared.url) }, words.say('link.copy'));
  const code = el('div');
  qrCode(shared.url, words.say('link.qr.alt')).then((drawn) => code.replaceChildren(drawn), () => code.remove());
  return el('div.share', {},
    el('label', { for: 'share-url' }, words.say('share.link')),
    el('div.buttons', {}, field, copy),
    el('div.buttons', {}, ...apps.map(({ name, url }) => el('a.button', { href: url, target: '_blank', rel: 'noopener', 'data-way': name }, words.say(`link.${name}`)))),
    code);
}
