/** Encoding: the text of a file that a spreadsheet, a text editor or a shop's program has written. Pure. */

export const MOST_BYTES = 5_000_000; // far more than 5,000 orders have

/** @typedef {'utf-8'|'utf-16le'|'utf-16be'|'windows-1252'} Encoding */
/** @typedef {'empty'|'too-big'|'spreadsheet'|'binary'} Unreadable why a file is no list */

/** @type {readonly [number[], Encoding][]} */
const MARKS = [[[0xef, 0xbb, 0xbf], 'utf-8'], [[0xff, 0xfe], 'utf-16le'], [[0xfe, 0xff], 'utf-16be']];
/** @type {readonly number[][]} */
const SPREADSHEETS = [[0x50, 0x4b, 0x03, 0x04], [0xd0, 0xcf, 0x11, 0xe0]]; // .xlsx and .ods are ZIP files, .xls is an OLE file
const LOOKED_AT = 4_096; // bytes

/**
 * @param {Uint8Array} bytes
 * @returns {{text: string, encoding: Encoding}|{unreadable: Unreadable}}
 */
export function decode(bytes) {
  if (bytes.length > MOST_BYTES) return { unreadable: 'too-big' };
  if (SPREADSHEETS.some((mark) => beginsWith(bytes, mark))) return { unreadable: 'spreadsheet' };
  const encoding = encodingOf(bytes);
  if (!encoding) return { unreadable: 'binary' };
  const text = new TextDecoder(encoding).decode(bytes);
  if (!text.trim()) return { unreadable: 'empty' };
  return isText(text) ? { text, encoding } : { unreadable: 'binary' };
}

/** @param {Uint8Array} bytes @returns {Encoding|null} */
function encodingOf(bytes) {
  const marked = MARKS.find(([mark]) => beginsWith(bytes, mark));
  if (marked) return marked[1];
  const head = bytes.subarray(0, LOOKED_AT);
  if (head.includes(0)) return unmarkedUtf16(head);
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return 'utf-8';
  } catch {
    return 'windows-1252'; // what Excel writes in Europe and America
  }
}

/** @param {Uint8Array} head with a zero byte @returns {Encoding|null} */
function unmarkedUtf16(head) {
  let [even, odd] = [0, 0];
  head.forEach((byte, n) => {
    if (byte === 0 && n % 2) odd++;
    else if (byte === 0) even++;
  });
  const most = head.length / 4;
  if (odd > most && !even) return 'utf-16le';
  return even > most && !odd ? 'utf-16be' : null;
}

/** Whether there are next to no control characters. @param {string} text */
function isText(text) {
  const head = text.slice(0, LOOKED_AT);
  // oxlint-disable-next-line no-control-regex
  const controls = head.match(/[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f\ufffd]/g)?.length ?? 0;
  return controls * 50 <= head.length;
}

/** @param {Uint8Array} bytes @param {readonly number[]} mark */
function beginsWith(bytes, mark) {
  return mark.every((byte, n) => bytes[n] === byte);
}
