/** Export: the links of a list as CSV, for a spreadsheet or a programme that sends messages. Pure, with Papa Parse. */

import { stateOf } from './import-list.js';

/** @typedef {import('./import-list.js').Row} Row */

const FORMULA = /^[=+\-@\t\r]/; // what spreadsheets may run
const MARK = '\ufeff'; // Excel takes the file for Windows-1252 without it

/**
 * @param {readonly Row[]} rows @param {typeof import('papaparse')} papa
 * @param {{header: readonly string[], locale: string}} texts header: number, name, address, phone, reference, state, problem, link
 * @param {(row: Row) => {state: string, problem: string}} say
 * @returns {string}
 */
export function linksCsv(rows, papa, { header, locale }, say) {
  const data = rows.map((row) => {
    const { name = '', phone = '' } = row.draft.customer ?? {};
    const { state, problem } = say(row);
    return [row.number, name, row.draft.address, phone, row.draft.reference ?? '', state, problem, row.order?.url ?? ''];
  });
  return MARK + papa.unparse({ fields: [...header], data }, { delimiter: delimiterOf(locale), escapeFormulae: FORMULA });
}

/** What spreadsheets of a country expect: a semicolon where a comma stands in numbers. @param {string} locale */
export function delimiterOf(locale) {
  return new Intl.NumberFormat(locale).format(1.5).includes('.') ? ',' : ';';
}

/** Links alone, one a line with its name or address, to paste into a message. @param {readonly Row[]} rows */
export function linksText(rows) {
  const created = rows.filter((row) => stateOf(row) === 'created');
  return created.map((row) => `${row.draft.customer?.name || row.draft.address}\t${row.order?.url}`).join('\n');
}
