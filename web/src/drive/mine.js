/** Mine: what the service stores about the driver, as its API gives it. */

/** @typedef {import('../../types/driver.js').Opening} Opening */
/** @typedef {import('../../types/driver.js').StoredAboutMe} StoredAboutMe */
/** @typedef {'gpx'|'geojson'|'csv'} Format of a file with positions */

/** @type {Format[]} */
export const FORMATS = ['gpx', 'geojson', 'csv'];

export class MineFailed extends Error {
  /** @param {'offline'|'too_many'|'failed'} why */
  constructor(why) {
    super(why);
    this.why = why;
  }
}

export class Mine {
  /**
   * @param {string} service the service's base URL @param {string} token the driver's
   * @param {typeof globalThis.fetch} [fetch] for tests
   */
  constructor(service, token, fetch = (...request) => globalThis.fetch(...request)) {
    this._service = service;
    this._headers = { Authorization: `Bearer ${token}` };
    this._fetch = fetch;
  }

  /** @returns {Promise<StoredAboutMe>} rejects with MineFailed, as the others */
  async record() {
    return (await this._get('')).json();
  }

  /** @param {string|null} cursor of the page; null: the first @returns {Promise<{items: Opening[], next: string|null}>} */
  async openings(cursor) {
    return (await this._get(`/openings?limit=20${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`)).json();
  }

  /** All positions. @param {Format} format @returns {Promise<Blob>} */
  async positions(format) {
    const answer = await this._get(`/track.${format}?include=rejected`);
    return answer.blob().catch(() => Promise.reject(new MineFailed('offline')));
  }

  /** @param {string} path @returns {Promise<Response>} */
  async _get(path) {
    const url = new URL(`v1/drivers/me${path}`, this._service);
    const answer = await this._fetch(url, { headers: this._headers, cache: 'no-store' }).catch(() => null);
    if (!answer) throw new MineFailed('offline');
    if (!answer.ok) throw new MineFailed(answer.status === 429 ? 'too_many' : 'failed');
    return answer;
  }
}

/** What one line of the screen says: the name of its text, and its values. */
/** @typedef {{name: string, values: string[]}} Row */

/**
 * @param {StoredAboutMe} stored @param {import('./translations.js').Translations} words
 * @returns {Row[]} each with what it is and, where it is deleted by itself, when
 */
export function rowsOf(stored, words) {
  const { driver, first_fix_at: first, last_fix_at: last, fixes_kept_days: days, notes_kept_days: noteDays } = stored;
  const { last_fix: fix, device } = driver;
  const place = fix && `${fix.lat.toFixed(5)}, ${fix.lon.toFixed(5)}`;
  return [
    { name: 'name', values: [driver.name] },
    { name: 'shown', values: [driver.display_name ?? words.say('mine.first_name')] },
    { name: 'vehicle', values: [words.say(`vehicle.${driver.vehicle}`), driver.reference ?? ''] },
    { name: 'since', values: [words.date(driver.created_at)] },
    { name: 'positions', values: [
      first && last ? words.say('mine.between', { from: words.moment(first), to: words.moment(last) }) : words.say('mine.none'), words.say('mine.days', { count: days })] },
    { name: 'newest', values: fix && place ? [place, words.moment(fix.recorded_at)] : [words.say('mine.none')] },
    { name: 'device', values: device ? deviceWords(device, words) : [words.say('mine.none')] },
    { name: 'orders', values: [words.say('mine.assignments', { count: stored.assignments })] },
    { name: 'words', values: [words.say('mine.days_after', { count: noteDays })] },
  ].map(({ name, values }) => ({ name, values: values.filter(Boolean) }));
}

/** @param {NonNullable<StoredAboutMe['driver']['device']>} device @param {import('./translations.js').Translations} words */
function deviceWords({ app, battery, network, permission, reported_at: at }, words) {
  return [
    app ?? '',
    battery === null ? '' : words.percent(battery),
    network ?? '',
    permission ? words.say(`permission.${permission}`) : '',
    words.moment(at),
  ];
}
