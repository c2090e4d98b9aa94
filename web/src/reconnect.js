/** Ladder: by which way to connect next, and after which pause. Pure: no clock, no connection. */

/** The ways from best to plainest; the next is tried after so many failures in a row. */
export const WAYS = /** @type {const} */ (['websocket', 'events', 'polling']);
const TRIES = [3, 2, 2];
const LONGEST_PAUSE = 15_000; // milliseconds
const LONGEST_WISH = 300_000; // milliseconds: of a server that says when to come back
const WENT_AWAY = new Set([1001, 1012]);
const TOO_MANY = 4029; // connections of this link: a plainer way may still be open

/** @param {number} code a close code @returns {boolean} whether it says never to come back */
export function isFinal(code) {
  return code === 1000 || (code >= 4000 && code < 4100 && code !== TOO_MANY);
}

/**
 * How long to wait before connecting again.
 * @param {number} code the close code
 * @param {number} attempt failures in a row, from 0
 * @param {() => number} random 0..1
 * @returns {number} milliseconds
 */
export function pauseAfter(code, attempt, random = Math.random) {
  if (WENT_AWAY.has(code)) return LONGEST_PAUSE * random() ** 2; // all of 0..15 s, most of them soon
  const first = code >= 4100 || code === TOO_MANY ? 4_000 : 1_000;
  return Math.min(LONGEST_PAUSE, first * 2 ** attempt) * random();
}

export class Ladder {
  /** @param {number} [ways] how many there are @param {() => number} [random] 0..1 */
  constructor(ways = WAYS.length, random = Math.random) {
    this._ways = ways;
    this._random = random;
    this._attempt = 0; // failures in a row, whichever way
    this._failed = 0; // failures in a row of this way
    this.rung = 0;
  }

  /** The way above this one, or null on top. */
  get above() {
    return this.rung > 0 ? this.rung - 1 : null;
  }

  /** A message came: this way works. */
  works() {
    this._failed = 0;
  }

  /** It has worked for a while: earlier failures are forgotten. */
  steady() {
    this._attempt = 0;
  }

  /** Another try of this way at once: the network has changed. */
  anew() {
    this._attempt = this._failed = 0;
  }

  /** A trial of the way above went well. */
  climb() {
    this.rung = Math.max(0, this.rung - 1);
    this._attempt = this._failed = 0;
  }

  /**
   * A connection has ended; decides the next way.
   * @param {number} code its close code
   * @param {{offline?: boolean, wish?: number}} [circumstances] offline: no way's fault; wish: milliseconds, as
   *   the server asked with Retry-After
   * @returns {number|null} milliseconds to wait; null: do not come back
   */
  ended(code, { offline = false, wish = 0 } = {}) {
    if (isFinal(code)) return null;
    const pause = pauseAfter(code, this._attempt++, this._random);
    const stepped = !offline && (++this._failed >= TRIES[this.rung] || code === TOO_MANY) && this._step();
    const soon = stepped && this.rung > 0 && code !== TOO_MANY;
    const wished = Math.min(LONGEST_WISH, wish) * (1 + 0.25 * this._random());
    return Math.max(soon ? 0 : pause, wished);
  }

  /** Down, and from the lowest back to the top: perhaps it was the server that was away. */
  _step() {
    this.rung = (this.rung + 1) % this._ways;
    this._failed = 0;
    return true;
  }
}
