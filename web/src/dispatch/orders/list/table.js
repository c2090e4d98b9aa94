/** Table: the rows of a pasted list or a CSV file, or one address a line. Pure, with Papa Parse as an argument. */

import { byContent, isHeader, recognise } from './columns.js';

/** @typedef {typeof import('papaparse')} Papa */
/** @typedef {import('./columns.js').Field} Field */
/** @typedef {'lines'|'\t'|';'|','|'|'} Shape one address a line, or the delimiter of a table */
/**
 * @typedef {object} Table
 * @property {Shape} shape
 * @property {string[]|null} header
 * @property {string[][]} rows without the header and without empty ones
 * @property {number[]} lines of each row in the text, from 1; of a row with line breaks its first
 * @property {(Field|null)[]} columns
 * @property {number} left rows beyond MOST_ROWS
 */

export const MOST_ROWS = 5_000;

/** @type {readonly Shape[]} */
export const SHAPES = ['lines', '\t', ';', ',', '|'];

/**
 * @param {string} text @param {Papa} papa
 * @param {{shape?: Shape, header?: boolean}} [wanted] instead of what the text looks like
 * @returns {Table|null} null: there is nothing in it
 */
export function tableOf(text, papa, wanted = {}) {
  const clean = text.replace(/^\ufeff/, '').replace(/^sep=.\r?\n/i, ''); // Excel's hint for the delimiter
  if (!clean.trim()) return null;
  const shape = wanted.shape ?? shapeOf(clean, papa);
  const { rows, lines } = shape === 'lines' ? linesOf(clean) : parsed(clean, papa, shape);
  if (!rows.length) return null;
  const hasHeader = wanted.header ?? isHeader(rows[0]);
  const header = hasHeader ? rows[0] : null;
  const body = hasHeader ? rows.slice(1) : rows;
  const kept = body.slice(0, MOST_ROWS);
  const columns = recognise(header, kept);
  return { shape, header, rows: kept, lines: hasHeader ? lines.slice(1) : lines, columns, left: body.length - kept.length };
}

/**
 * The delimiter that gives most rows the same number of columns. Commas count only with a header or with columns that
 * are no parts of addresses, because people write "Main Street 1, 00100 Helsinki".
 * @param {string} text @param {Papa} papa @returns {Shape}
 */
export function shapeOf(text, papa) {
  for (const shape of /** @type {Shape[]} */ (['\t', ';', '|'])) {
    if (isTable(parsed(text, papa, shape, 100).rows)) return shape;
  }
  const { rows } = parsed(text, papa, ',', 100);
  if (!isTable(rows)) return 'lines';
  if (rows.length > 1 && isHeader(rows[0])) return ',';
  const width = Math.max(...rows.map((row) => row.length));
  const columns = Array.from({ length: width }, (_, n) => rows.map((row) => (row[n] ?? '').trim()).filter(Boolean));
  const hasOther = columns.some((cells) => ['email', 'phone', 'window', 'date'].includes(byContent(cells) ?? ''));
  return hasOther || /"[^"\n]*,[^"\n]*"/.test(text) ? ',' : 'lines';
}

/** Whether there are several columns and most rows have the same number of them. @param {string[][]} rows */
function isTable(rows) {
  /** @type {Map<number, number>} */ const counts = new Map();
  for (const row of rows) counts.set(row.length, (counts.get(row.length) ?? 0) + 1);
  const [width = 1, count = 0] = [...counts].toSorted((one, other) => other[1] - one[1])[0] ?? [];
  return width > 1 && count * 2 > rows.length;
}

/** @param {string} text @param {Papa} papa @param {string} delimiter @param {number} [most] rows */
function parsed(text, papa, delimiter, most = 0) {
  const config = { delimiter, preview: most, skipEmptyLines: /** @type {const} */ (false) };
  const quoted = papa.parse(text, config);
  const isBroken = quoted.errors.some(({ code }) => code === 'MissingQuotes'); // it would swallow the rest of the list
  const { data } = isBroken ? papa.parse(text, { ...config, quoteChar: '\0' }) : quoted;
  /** @type {string[][]} */ const rows = [];
  /** @type {number[]} */ const lines = [];
  let line = 1;
  for (const row of /** @type {string[][]} */ (data)) {
    if (row.some((cell) => cell.trim())) {
      rows.push(row.map((cell) => cell.trim()));
      lines.push(line);
    }
    line += 1 + row.reduce((sum, cell) => sum + (cell.match(/\r\n|\r|\n/g)?.length ?? 0), 0);
  }
  return { rows, lines };
}

/** @param {string} text whose bullets and numbers are left out */
function linesOf(text) {
  const all = text.split(/\r\n|\r|\n/).map((line) => line.trim());
  const numbered = all.map((cell, n) => ({ cell: cell.replace(/^[-*•·]\s+/, ''), line: n + 1 })).filter(({ cell }) => cell);
  const isNumbered = numbered.length > 1 && numbered.every(({ cell }, n) => cell.match(/^(\d+)[.)]\s/)?.[1] === String(n + 1));
  const cells = numbered.map(({ cell }) => [isNumbered ? cell.replace(/^\d+[.)]\s+/, '') : cell]); // "1. linja 5" is a street
  return { rows: cells, lines: numbered.map(({ line }) => line) };
}
