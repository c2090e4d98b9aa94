/** ShareBox: a tracking link to copy, to scan, or to send by text message, WhatsApp or mail. */

import { el } from '../../drive/element.js';
import { loadQr } from './libraries.js';
import { shareLinks } from './share-links.js';

/** @typedef {import('../board.js').Board} Board */

const SVG = 'http://www.w3.org/2000/svg';

/** @param {Board} board @param {import('./share-links.js').Shared} shared @returns {HTMLElement} */
export function shareBox(board, shared) {
  const { words } = board;
  const text = words.say('share.text', { url: shared.url });
  const links = shareLinks(shared, text, words.say('share.subject'));
  const field = /** @type {HTMLInputElement} */ (el('input', { id: 'share-url', readonly: true, value: shared.url, dir: 'ltr', onfocus: () => field.select() }));
  const copy = el('button', { type: 'button', onclick: () => copyText(board, shared.url) }, words.say('share.copy'));
  const code = el('div.qr');
  showCode(code, shared.url, words.say('share.qr')).catch(() => (code.hidden = true));
  const ways = [['sms', links.sms], ['whatsapp', links.whatsapp], ['mail', links.mail]];
  return el('div.share', {},
    el('label', { for: 'share-url' }, words.say('share.link')),
    el('div.buttons', {}, field, copy),
    el('div.buttons', {}, ...ways.map(([way, href]) => el('a.button', { href, 'data-way': way, ...(way === 'whatsapp' ? { target: '_blank', rel: 'noopener noreferrer' } : {}) }, words.say(`share.${way}`)))),
    code);
}

/** @param {Board} board @param {string} text */
export async function copyText(board, text) {
  try {
    await navigator.clipboard.writeText(text);
    board.announce(board.words.say('share.copied'));
  } catch {
    board.announce(board.words.say('share.not_copied'));
  }
}

/** @param {HTMLElement} place @param {string} text @param {string} label */
async function showCode(place, text, label) {
  const { encode } = await loadQr();
  const { size, data } = encode(text, { ecc: 'M', border: 4 });
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', `0 0 ${size} ${size}`);
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', label);
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', data.flatMap((row, y) => row.flatMap((isDark, x) => (isDark ? [`M${x} ${y}h1v1h-1z`] : []))).join(''));
  svg.append(path);
  place.replaceChildren(svg);
}
