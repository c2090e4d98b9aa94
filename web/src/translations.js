/** Translations: the texts in the reader's language, with numbers and plural forms as the language wants them. Pure. */

/** @typedef {string|Partial<Record<Intl.LDMLPluralRule, string>>} Entry a text, or one for each plural form */
/** @typedef {Record<string, Entry>} Messages */

const RIGHT_TO_LEFT = new Set(['ar']);
const MINUTE = 60; // seconds
const HOUR = 3_600;

export class Translations {
  /**
   * @param {string} language of the messages, such as `de`
   * @param {Messages} messages
   * @param {string} [locale] for dates and numbers, such as `de-AT`
   */
  constructor(language, messages, locale = language) {
    this.language = language;
    this.direction = RIGHT_TO_LEFT.has(language) ? 'rtl' : 'ltr';
    this.locale = locale;
    this._messages = messages;
    this._plurals = new Intl.PluralRules(language);
    /** @type {Map<string, Intl.NumberFormat>} */ this._numbers = new Map();
  }

  /** Whether there is a text of this name. @param {string} name */
  has(name) {
    return name in this._messages;
  }

  /**
   * @param {string} name
   * @param {Record<string, string|number>} [values] for the `{places}` of the text; `count` chooses the plural form
   * @returns {string}
   */
  say(name, values = {}) {
    const entry = this._messages[name] ?? name;
    const form = typeof entry === 'string' ? entry : entry[this._plurals.select(Number(values.count))] ?? entry.other;
    return (form ?? name).replace(/\{(\w+)\}/g, (_, place) => this._value(values[place] ?? ''));
  }

  /** @param {string|number} value */
  _value(value) {
    return typeof value === 'number' ? this._format({}).format(value) : value;
  }

  /** @param {string[]} items @returns {string} as a list in a sentence */
  list(items) {
    return new Intl.ListFormat(this.locale, { style: 'short' }).format(items);
  }

  /** @param {number} seconds @returns {string} such as `8 sec` */
  duration(seconds) {
    const [unit, size] = seconds < 2 * MINUTE ? ['second', 1] : seconds < 2 * HOUR ? ['minute', MINUTE] : ['hour', HOUR];
    return this.amount(Math.floor(Math.max(0, seconds) / size), unit);
  }

  /** @param {number} number @param {string} unit of Intl, such as `kilometer` @returns {string} */
  amount(number, unit) {
    return this._format({ style: 'unit', unit, unitDisplay: 'short' }).format(number);
  }

  /** @param {Intl.NumberFormatOptions} options */
  _format(options) {
    const key = options.unit ?? '';
    const known = this._numbers.get(key);
    if (known) return known;
    const made = new Intl.NumberFormat(this.locale, { ...options, maximumFractionDigits: 1 });
    this._numbers.set(key, made);
    return made;
  }
}
