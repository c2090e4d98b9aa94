/** ImportList: the rows of a list on their way to orders: what they say, where they are, what became of them. Pure. */

import { draftOf, valuesOf } from './rows.js';
import { plain } from './columns.js';

/** @typedef {import('./rows.js').Draft} Draft */
/** @typedef {import('./rows.js').Reading} Reading */
/** @typedef {import('./rows.js').RowProblem} RowProblem */
/** @typedef {import('./rows.js').Values} Values */
/** @typedef {import('./columns.js').Field} Field */
/** @typedef {{address: string, lat: number, lon: number, precision: string}} Found */
/** @typedef {{place: Found|null, candidates: Found[], ambiguous: boolean}} Meaning as `POST /v1/geocode` answers */
/** @typedef {'waiting'|'wrong'|'check'|'ready'|'left-out'|'created'} State */
/**
 * @typedef {object} Row
 * @property {number} number from 1
 * @property {number} line in the text
 * @property {Values} values
 * @property {Draft} draft
 * @property {Meaning|null} meaning of its address; null until it is known
 * @property {{lat: number, lon: number}|null} pin where a person has put it
 * @property {boolean} leftOut
 * @property {number|'open'|null} sameAs the number of an earlier row, or an open order
 * @property {boolean} checked a person has seen that its place is only a street or a suburb
 * @property {{id: string, url: string}|null} order
 * @property {RowProblem[]} refused by the service
 */

/** @type {Readonly<Record<string, Field>>} */
const FIELD_OF = {
  'dropoff.address': 'address', 'dropoff.lat': 'address', 'dropoff.lon': 'address', 'customer.name': 'name',
  'customer.phone': 'phone', 'customer.email': 'email', 'customer.language': 'language', 'window.from': 'from',
  'window.to': 'to', instructions: 'instructions', reference: 'reference',
};

export class ImportList {
  /**
   * @param {{rows: string[][], lines: number[], columns: (Field|null)[]}} table @param {Reading} reading
   * @param {Iterable<string>} [open] references of open orders @param {ImportList|null} [before] the same list, read in another way
   */
  constructor({ rows, lines, columns }, reading, open = [], before = null) {
    this.reading = reading;
    this.columns = columns;
    /** @type {Map<string, Meaning>} of each address */ this._meanings = before ? before.meanings : new Map();
    this.rows = rows.map((cells, n) => newRow(n, lines[n], valuesOf(cells, columns), reading));
    for (const row of this.rows) row.meaning = this._meanings.get(row.draft.address) ?? null;
    this._markRepeated(open);
  }

  get meanings() {
    return this._meanings;
  }

  /** Addresses of rows whose place is not known yet, each once. @returns {string[]} */
  unknownAddresses() {
    const texts = this.rows.filter((row) => isSearched(row) && !row.meaning).map(({ draft }) => draft.address);
    return [...new Set(texts)];
  }

  /** @param {readonly string[]} addresses @param {readonly Meaning[]} meanings of each */
  locate(addresses, meanings) {
    addresses.forEach((address, n) => this._meanings.set(address, meanings[n]));
    for (const row of this.rows) row.meaning ??= this._meanings.get(row.draft.address) ?? null;
  }

  /** @param {Row} row @param {Field} field @param {string} text */
  edit(row, field, text) {
    const before = row.draft.address;
    if (text.trim()) row.values[field] = text.trim();
    else delete row.values[field];
    row.draft = draftOf(row.values, this.reading);
    row.refused = row.refused.filter((problem) => problem.field !== field && problem.field !== 'row');
    if (row.draft.address === before) return;
    row.pin = null;
    row.checked = false;
    row.meaning = this._meanings.get(row.draft.address) ?? null;
  }

  /** Take the place that a person has chosen; the text stays. @param {Row} row @param {{lat: number, lon: number}} place */
  pin(row, { lat, lon }) {
    row.pin = { lat: Math.round(lat * 1e6) / 1e6, lon: Math.round(lon * 1e6) / 1e6 };
    row.refused = row.refused.filter(({ field }) => field !== 'address');
  }

  /** How many rows are in each state. */
  counts() {
    const states = this.rows.map(stateOf);
    const count = (/** @type {State} */ state) => states.filter((each) => each === state).length;
    return {
      all: states.length, waiting: count('waiting'), wrong: count('wrong'), check: count('check'), ready: count('ready'),
      leftOut: count('left-out'), created: count('created'),
    };
  }

  /** Rows that can become orders now: those with a rough place too, because the driver can look. @returns {Row[]} */
  sendable() {
    return this.rows.filter((row) => ['ready', 'check'].includes(stateOf(row)));
  }

  /** @param {Row} row @param {{status: number, order?: {id: string, tracking_url: string}, problem?: ItemProblem}} item of the answer */
  settle(row, { order, problem }) {
    if (order) row.order = { id: order.id, url: order.tracking_url };
    else row.refused = refusedBy(problem ?? {});
    const place = problem?.errors?.find(({ candidates }) => candidates);
    if (place) row.meaning = { place: null, candidates: place.candidates ?? [], ambiguous: true };
  }

  /** Leave out what stands twice in the list, and what has the reference of an open order. @param {Iterable<string>} open */
  _markRepeated(open) {
    /** @type {Map<string, number>} */ const seen = new Map();
    const references = new Set(open);
    for (const row of this.rows) {
      const key = JSON.stringify(Object.entries(row.values).map(([field, text]) => [field, plain(text ?? '')]));
      const { reference } = row.draft;
      row.sameAs = reference && references.has(reference) ? 'open' : seen.get(key) ?? null;
      row.leftOut = row.sameAs !== null;
      if (!seen.has(key)) seen.set(key, row.number);
    }
  }
}

/** @typedef {{detail?: string, errors?: {field: string, detail: string, candidates?: Found[]}[]}} ItemProblem */

/** @param {number} n @param {number} line @param {Values} values @param {Reading} reading @returns {Row} */
function newRow(n, line, values, reading) {
  const draft = draftOf(values, reading);
  return {
    number: n + 1, line, values, draft, meaning: null, pin: null, leftOut: false, sameAs: null, checked: false, order: null, refused: [],
  };
}

/** Whether the map has to say where the row is. @param {Row} row */
function isSearched({ draft, pin, order }) {
  return Boolean(draft.address) && !draft.at && !pin && !order;
}

/** Where the row's stop is, as far as known. @param {Row} row @returns {{lat: number, lon: number, precision: string}|null} */
export function placeOf({ draft, pin, meaning }) {
  const exact = pin ?? draft.at;
  if (exact) return { ...exact, precision: 'exact' };
  return meaning?.place ?? null;
}

/** What keeps the row from becoming an order. @param {Row} row @returns {RowProblem[]} */
export function problemsOf(row) {
  const { draft, meaning, refused } = row;
  /** @type {RowProblem[]} */ const problems = [...draft.problems.filter(({ fault }) => fault !== 'past'), ...refused];
  if (isSearched(row) && meaning && !meaning.place && !refused.some(({ field }) => field === 'address')) {
    problems.push({ field: 'address', fault: meaning.ambiguous ? 'ambiguous' : 'unknown' });
  }
  return problems;
}

/** @param {Row} row @returns {State} */
export function stateOf(row) {
  if (row.order) return 'created';
  if (row.leftOut) return 'left-out';
  if (problemsOf(row).length) return 'wrong';
  const place = placeOf(row);
  if (!place) return 'waiting';
  const isRough = !['exact', 'house'].includes(place.precision) && !row.checked;
  return isRough || row.draft.problems.length ? 'check' : 'ready';
}

/**
 * The order of a row, as `POST /v1/orders` takes it. An address that the map knows goes alone, so that the service keeps
 * how well it knows the place.
 * @param {Row} row @param {object} common of all orders of the list: pickup, requirements and the like
 * @returns {object}
 */
export function orderOf({ draft, pin }, common) {
  const { address, at, window, customer, instructions, reference } = draft;
  const dropoff = { ...(address ? { address } : {}), ...(pin ?? at) };
  const optional = { window, customer, instructions, reference };
  return { ...common, dropoff, ...Object.fromEntries(Object.entries(optional).filter(([, value]) => value)) };
}

/** @param {ItemProblem} problem @returns {RowProblem[]} */
function refusedBy({ detail = '', errors = [] }) {
  if (!errors.length) return [{ field: 'row', fault: 'refused', detail }];
  return errors.map((error) => ({ field: FIELD_OF[error.field] ?? 'row', fault: 'refused', detail: error.detail }));
}
