/** Reconnect: which transport to try next, and after which delay. Pure: no clock, no connection. */

/** From best to plainest. */
export const TRANSPORTS = /** @type {const} */ (['websocket', 'events', 'polling']);
const ATTEMPTS = [3, 2, 2]; // consecutive failures of a transport before the next one is tried
const MAX_DELAY = 15_000; // milliseconds
const MAX_RETRY_AFTER = 300_000; // milliseconds
const SERVER_RESTART = new Set([1001, 1012]);
const TOO_MANY_CONNECTIONS = 4029; // of this link; a plainer transport may still be accepted

/** Whether a close code forbids reconnecting. @param {number} code @returns {boolean} */
export function isFinal(code) {
  return code === 1000 || (code >= 4000 && code < 4100 && code !== TOO_MANY_CONNECTIONS);
}

/**
 * The delay that a node asks for when it stops and others serve, in the reason of its close frame.
 * @param {string} [reason] such as `restarting, retry_s=1.25` @returns {number} milliseconds; 0 if there is none
 */
export function retryAfterReason(reason = '') {
  const seconds = Number(/\bretry_s=(\d+(?:\.\d+)?)/.exec(reason)?.[1] ?? 0);
  return Math.min(MAX_DELAY, seconds * 1_000);
}

/**
 * The delay before the next attempt: exponential back-off with full jitter.
 * @param {number} code the close code
 * @param {number} attempt consecutive failures, from 0
 * @param {() => number} random 0..1
 * @returns {number} milliseconds
 */
export function backOff(code, attempt, random = Math.random) {
  if (SERVER_RESTART.has(code)) return MAX_DELAY * random() ** 2; // spread over 0..15 s, most of them early
  const first = code >= 4100 || code === TOO_MANY_CONNECTIONS ? 4_000 : 1_000;
  return Math.min(MAX_DELAY, first * 2 ** attempt) * random();
}

export class ReconnectPolicy {
  /** @param {number} [transports] how many there are @param {() => number} [random] 0..1 */
  constructor(transports = TRANSPORTS.length, random = Math.random) {
    this._transports = transports;
    this._random = random;
    this._attempt = 0; // consecutive failures of any transport
    this._failures = 0; // consecutive failures of the current transport
    this.current = 0; // index of the transport in use
  }

  /** The index of the next better transport; null if the best one is in use. */
  get better() {
    return this.current > 0 ? this.current - 1 : null;
  }

  /** A message arrived, so the current transport works. */
  received() {
    this._failures = 0;
  }

  /** The connection has been stable for a while, so the next back-off starts small. */
  resetBackOff() {
    this._attempt = 0;
  }

  /** The network has changed, so earlier failures say nothing. */
  reset() {
    this._attempt = this._failures = 0;
  }

  /** Move to the next better transport. */
  upgrade() {
    this.current = Math.max(0, this.current - 1);
    this.reset();
  }

  /**
   * Record that a connection has closed, and select the next transport.
   * @param {number} code its close code
   * @param {{offline?: boolean, retryAfter?: number}} [circumstances] offline: the device has no network, so the
   *   transport is not to blame; retryAfter: milliseconds, as the server asked
   * @returns {number|null} milliseconds to wait; null: do not reconnect
   */
  closed(code, { offline = false, retryAfter = 0 } = {}) {
    if (isFinal(code)) return null;
    const announced = SERVER_RESTART.has(code) && retryAfter > 0; // random for each client already
    const delay = announced ? retryAfter : backOff(code, this._attempt, this._random);
    this._attempt += 1;
    const failed = !offline && (++this._failures >= ATTEMPTS[this.current] || code === TOO_MANY_CONNECTIONS);
    if (failed) this.fallBack();
    const atOnce = failed && this.current > 0 && code !== TOO_MANY_CONNECTIONS;
    const requested = Math.min(MAX_RETRY_AFTER, retryAfter) * (1 + 0.25 * this._random());
    return announced ? delay : Math.max(atOnce ? 0 : delay, requested);
  }

  /** After the plainest transport comes the best one again: the outage may have been the server's. */
  fallBack() {
    this.current = (this.current + 1) % this._transports;
    this._failures = 0;
  }
}
