/** Fixes: which positions to keep and in which sequence to send them, and the sender. */

import { Disconnected } from './connection.js';

/** @typedef {import('../../types/driver.js').Fix} Fix */
/** @typedef {import('../../types/driver.js').Policy} Policy */

const BATCH = 100; // fixes in a message
const STILL = 30_000; // milliseconds after which a driver who stands sends a position nevertheless
const EARLY = 500; // milliseconds by which a phone's position may come early
const SLOW_TIMEOUT = 45_000; // milliseconds to wait for an ack after `slow`
const EARTH_RADIUS = 6_371_000; // metres

/** @param {GeolocationPosition} position @returns {Fix} */
export function fixOf({ timestamp, coords }) {
  const { latitude, longitude, accuracy, speed, heading, altitude } = coords;
  const known = Object.entries({ accuracy, speed, heading, altitude }).filter(([, value]) => Number.isFinite(value));
  const recordedAt = new Date(Math.round(timestamp)).toISOString();
  return { recorded_at: recordedAt, lat: latitude, lon: longitude, ...Object.fromEntries(known) };
}

/**
 * Whether the policy wants this fix.
 * @param {Fix|null} last the last one kept @param {Fix} fix @param {Policy} policy
 */
export function isWanted(last, fix, policy) {
  if (!last) return true;
  const elapsed = Date.parse(fix.recorded_at) - Date.parse(last.recorded_at);
  if (elapsed + EARLY < policy.interval_s * 1000) return false;
  return elapsed >= STILL || metres(last, fix) >= policy.min_move_m;
}

/** @param {Fix} from @param {Fix} to @returns {number} metres, for short distances */
function metres(from, to) {
  const radians = Math.PI / 180;
  const north = (to.lat - from.lat) * radians;
  const east = (to.lon - from.lon) * radians * Math.cos(to.lat * radians);
  return EARTH_RADIUS * Math.hypot(north, east);
}

/**
 * What to send next: a new fix at once, so that the live view is right, then the backlog from its beginning.
 * @param {Fix|null} newest of all stored ones @param {string} sent time of the newest one sent in this connection
 * @param {Fix[]} oldest @returns {Fix[]}
 */
export function nextBatch(newest, sent, oldest) {
  return newest && newest.recorded_at > sent ? [newest] : oldest;
}

export class FixSender {
  /**
   * @param {import('./store.js').Store} store
   * @param {import('./connection.js').DriverConnection} connection
   * @param {(unsent: number) => unknown} onChange
   */
  constructor(store, connection, onChange) {
    this._store = store;
    this._connection = connection;
    this._onChange = onChange;
    this._sent = '';
    this._isRunning = false;
    this._slowUntil = 0;
    /** @type {ReturnType<typeof setTimeout>|undefined} */ this._timer = undefined;
  }

  /** @param {Fix} fix */
  async add(fix) {
    await this._store.addFix(fix);
    this._onChange(await this._store.countFixes());
    this.run();
  }

  /** A connection begins. */
  connected() {
    this._sent = '';
    this._slowUntil = 0;
    this.run();
  }

  /** The service asks to wait. @param {number} seconds */
  slow(seconds) {
    this._slowUntil = Date.now() + seconds * 1000;
  }

  /** Whether the service has asked to wait, and the time is not over. */
  get isSlow() {
    return Date.now() < this._slowUntil;
  }

  /** Send what is stored. A fix is deleted after its ack, never before. */
  async run() {
    if (this._isRunning) return;
    this._isRunning = true;
    try {
      while (this._connection.isLive && (await this._sendNext()));
    } catch (error) {
      if (!(error instanceof Disconnected)) throw error; // sent again once the connection is back
    } finally {
      this._isRunning = false;
      this._onChange(await this._store.countFixes());
    }
  }

  /** @returns {Promise<boolean>} whether there may be more */
  async _sendNext() {
    const wait = this._slowUntil - Date.now();
    if (wait > 0) {
      clearTimeout(this._timer);
      this._timer = setTimeout(() => this.run(), Math.min(wait, SLOW_TIMEOUT));
      return false;
    }
    const newest = await this._store.newestFix();
    const fixes = nextBatch(newest, this._sent, newest ? await this._store.oldestFixes(BATCH) : []);
    if (!fixes.length) return false;
    if (fixes.length === 1 && fixes[0].recorded_at > this._sent) this._sent = fixes[0].recorded_at;
    const refusal = await this._connection.request({ type: 'fixes', fixes });
    if (refusal) return false;
    await this._store.deleteFixes(fixes.map(({ recorded_at }) => recorded_at));
    return true;
  }
}
