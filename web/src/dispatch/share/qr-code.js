/** QrCode: a link as a QR code, drawn in the browser, so that no link is sent to draw it. */

import { el } from '../../drive/element.js';

const SVG = 'http://www.w3.org/2000/svg';
const QUIET_ZONE = 4; // light modules around the code, as ISO/IEC 18004 asks

/** @typedef {{encode: (text: string, options: {ecc: string, border: number}) => {size: number, data: boolean[][]}}} QrLibrary */

/** Show a text in a sheet. @param {import('../board.js').Board} board @param {string} text @param {string} title @param {...(Node|string)} more below it */
export async function showQr(board, text, title, ...more) {
  board.sheet(title, await qrCode(text, board.words.say('link.qr.alt')), ...more);
}

/** @param {string} text @param {string} label for a screen reader @returns {Promise<HTMLElement>} */
export async function qrCode(text, label) {
  /** @type {QrLibrary} */ // The page is one script in `src/`, so paths begin there.
  const { encode } = await import(new URL('../vendor/uqr/uqr.mjs', import.meta.url).href);
  const { size, data } = encode(text, { ecc: 'M', border: QUIET_ZONE });
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', `0 0 ${size} ${size}`);
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', label);
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', data.flatMap((row, y) => row.flatMap((isDark, x) => (isDark ? [`M${x} ${y}h1v1h-1z`] : []))).join(''));
  svg.append(path);
  return el('div.qr', {}, svg);
}
