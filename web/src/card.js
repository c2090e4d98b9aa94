/** Card: the texts that the customer reads. Pure. The server renders the same texts into the page first. */

/** @typedef {import('../types/order.js').State} State */
/** @typedef {import('./translations.js').Translations} Translations */
/** @typedef {import('./times.js').Times} Times */
/**
 * @typedef {object} Card each text may be empty
 * @property {string} phase for the style sheet: waiting, moving, done, over
 * @property {string} eyebrow
 * @property {string} headline
 * @property {boolean} stale whether the headline rests on old positions
 * @property {string} estimate
 * @property {string} late how much later the order comes than was said
 * @property {string} reason why it was not delivered
 * @property {string} next what happens next
 * @property {number[]} steps the completed part of each of the four, 0..1
 * @property {number} current index of the current step, -1 for none
 * @property {number} progress 0..1, of the ring
 * @property {string} stops
 * @property {string} place what the address is
 * @property {string} code the PIN that the customer tells the courier
 */

export const STEPS = /** @type {const} */ (['step.picked_up', 'step.on_the_way', 'step.nearby', 'step.delivered']);
const NEAR_METRES = 250;
const NEAR_SECONDS = 60;
const LONG = 60; // minutes: above this, show the time of day
const WIDE = 45 * 60_000; // milliseconds: of a wider interval, show only the beginning
const LATE = 5; // minutes
const AT_THE_DOOR = 30 * 60_000; // milliseconds that a courier may need there
const EMPTY = { stale: false, estimate: '', late: '', reason: '', next: '', stops: '', code: '', progress: 0, current: -1 };

/** @param {State} state @param {number} now milliseconds on the server's clock @param {Translations} words @param {Times} times */
export function describe(state, now, words, times) {
  return new Writer(state, now, words, times).card();
}

/** The id of the newest photo that proves the delivery; empty if there is none. @param {State} state */
export function newestPhoto(state) {
  return state.proofs.findLast(({ kind }) => kind === 'photo')?.id ?? '';
}

/** @param {string} at @param {number} now @returns {number} whole minutes, never negative */
export function minutesTo(at, now) {
  return Math.max(0, Math.round((Date.parse(at) - now) / 60_000));
}

class Writer {
  /** @param {State} state @param {number} now @param {Translations} words @param {Times} times */
  constructor(state, now, words, times) {
    this._state = state;
    this._now = now;
    this._words = words;
    this._times = times;
  }

  /** @returns {Card} */
  card() {
    const end = this._state.ended ?? this._state.order.status;
    if (end === 'delivered') return this._delivered();
    if (end === 'failed' || end === 'cancelled') return this._undelivered(end);
    if (end === 'revoked' || end === 'expired') return this._linkEnded();
    return this._onTheWay();
  }

  /** @returns {Card} */
  _delivered() {
    return {
      ...EMPTY, phase: 'done', eyebrow: this._say('eyebrow.delivered'), headline: this._ended('delivered'),
      steps: [1, 1, 1, 1], current: 3, progress: 1, place: this._say('address.delivered'),
    };
  }

  /** @param {'failed'|'cancelled'} end @returns {Card} */
  _undelivered(end) {
    const { outcome } = this._state.order;
    const reason = end === 'failed' && outcome ? `reason.${outcome}` : '';
    return {
      ...EMPTY, phase: 'over', eyebrow: this._say(`eyebrow.${end}`), headline: this._ended(end),
      reason: this._words.has(reason) ? this._say(reason) : '', next: this._say(`next.${end}`),
      steps: [0, 0, 0, 0], place: this._say('address.over'),
    };
  }

  /** @returns {Card} */
  _linkEnded() {
    const [eyebrow, headline, place] = ['eyebrow.link', 'headline.link', 'address.over'].map((name) => this._say(name));
    return { ...EMPTY, phase: 'over', eyebrow, headline, steps: [0, 0, 0, 0], place };
  }

  /** @returns {Card} */
  _onTheWay() {
    const { driver, pin, order: { status } } = this._state;
    const progress = this._isThere ? 1 : this._travelled();
    const current = status !== 'picked_up' ? 0 : this._isThere || this._isNear() ? 2 : 1;
    const started = driver ? Math.max(0.08, progress) : 0;
    return {
      ...EMPTY,
      phase: driver ? 'moving' : 'waiting',
      eyebrow: this._say(`eyebrow.${this._isThere ? 'arrived' : current === 2 ? 'nearby' : status}`),
      headline: this._headline(),
      stale: this._isOld && !this._isThere,
      estimate: this._estimate(),
      late: this._late(),
      steps: STEPS.map((_, i) => (i < current ? 1 : i === current ? started : 0)),
      current: driver ? current : -1,
      progress,
      stops: this._stops(),
      place: this._say('address.open'),
      code: pin ?? '',
    };
  }

  /** @param {string} name @param {Record<string, string|number>} [values] */
  _say(name, values) {
    return this._words.say(name, values);
  }

  /** When the order ended. @param {'delivered'|'failed'|'cancelled'} end */
  _ended(end) {
    const at = this._state.order.timestamps[end];
    return at ? this._sayAt(`headline.${end}`, at) : this._say(`headline.${end}`);
  }

  /** Say a text of today, or one with another day. @param {string} name @param {string} at */
  _sayAt(name, at) {
    const [time, day] = [this._times.clock(at), this._times.otherDay(at, this._now)];
    return this._say(`${name}.${day ? 'day' : 'today'}`, { time, day });
  }

  _headline() {
    const { eta, order: { status } } = this._state;
    const at = eta?.arrives_at;
    const window = this._window();
    if (this._isThere) return this._say('headline.arrived');
    if (!at && window) return this._times.span(window.from, window.to, this._now);
    if (!at) return this._say(status === 'picked_up' ? 'headline.on_the_way' : 'headline.preparing');
    const count = minutesTo(at, this._now);
    if (this._isOld || count > LONG) return this._sayAt('headline.about', at);
    return count < 1 ? this._say('headline.now') : this._say('headline.minutes', { count });
  }

  _estimate() {
    const { eta, order: { window } } = this._state;
    if (this._isThere) return '';
    if (eta?.earliest && eta.latest) return this._withDistance(this._interval(eta.earliest, eta.latest));
    if (this._window()) return this._say('planned');
    if (!window?.from || !window.to) return '';
    return this._say('planned.at', { time: this._times.range(window.from, window.to, this._now) });
  }

  /** @param {string} earliest @param {string} latest */
  _interval(earliest, latest) {
    if (Date.parse(latest) - Date.parse(earliest) <= WIDE) {
      return this._say('estimate', { time: this._times.range(earliest, latest, this._now) });
    }
    return this._sayAt('estimate.after', earliest);
  }

  /** @param {string} estimate */
  _withDistance(estimate) {
    const { eta, order: { status }, freshness } = this._state;
    const metres = eta?.distance_m;
    if (!metres || status !== 'picked_up' || this._state.stops_before || this._isOld || freshness !== 'live') return estimate;
    const distance = metres < 975
      ? this._words.amount(Math.max(50, Math.round(metres / 50) * 50), 'meter')
      : this._words.amount(metres < 9_950 ? Math.round(metres / 100) / 10 : Math.round(metres / 1_000), 'kilometer');
    return this._say('estimate.distance', { estimate, distance });
  }

  _late() {
    const { eta, order: { window, first_forecast: first } } = this._state;
    const promised = window?.to ?? first;
    if (!eta?.arrives_at || !promised || this._isThere) return '';
    const count = Math.floor((Date.parse(eta.arrives_at) - Date.parse(promised)) / 60_000);
    return count < LATE ? '' : this._say(window?.to ? 'late.planned' : 'late.first', { count });
  }

  _stops() {
    const { stops_before: count, driver, visibility, order } = this._state;
    if (this._isThere) return '';
    if (!driver || visibility !== 'hidden' || order.shows_position === false) return count ? this._say('stops', { count }) : '';
    return count ? this._say('hidden.stops', { count }) : this._say('hidden');
  }

  /** The time window, unless it has passed. */
  _window() {
    const { window } = this._state.order;
    return window?.from && window.to && this._now <= Date.parse(window.to) ? window : null;
  }

  get _isOld() {
    return Boolean(this._state.eta?.stale) || this._state.freshness === 'lost';
  }

  /** Whether the courier arrived at the dropoff, and not so long ago that they may have left. */
  get _isThere() {
    const { status, arrived_at: at } = this._state.order;
    return status === 'picked_up' && Boolean(at) && this._now - Date.parse(at ?? '') < AT_THE_DOOR;
  }

  _isNear() {
    const { stops_before: stops, eta, freshness } = this._state;
    if (stops || !eta?.arrives_at) return false;
    const due = Date.parse(eta.arrives_at) - this._now <= NEAR_SECONDS * 1000;
    // for a lost courier, only the distance counts
    return (eta.distance_m ?? Infinity) <= NEAR_METRES || (due && freshness !== 'lost');
  }

  /** Elapsed part of the time from the last status to the arrival. */
  _travelled() {
    const { status, timestamps } = this._state.order;
    const since = Date.parse(timestamps[status] ?? '');
    const until = Date.parse(this._state.eta?.arrives_at ?? '');
    if (!(until > since)) return 0;
    return Math.min(1, Math.max(0, (this._now - since) / (until - since)));
  }
}
