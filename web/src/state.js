/** State: what the page knows of the order, out of the stream's messages. Pure: each step gives a new value. */

/** @typedef {import('./follower.js').Position} Position */
/** @typedef {{type: 'LineString', coordinates: [number, number][]}} LineString */
/** @typedef {'live'|'stale'|'lost'|'none'} Freshness */
/**
 * @typedef {object} State
 * @property {string} cursor
 * @property {string} now the server's clock when it last spoke
 * @property {{status: string, reference: string|null, timestamps: Record<string, string>,
 *   dropoff: {lat: number, lon: number, address: string|null, time_zone?: string}, window: {from: string, to: string}|null}} order
 * @property {{name: string, vehicle: string}|null} driver
 * @property {Position|null} position
 * @property {{arrives_at: string|null, earliest: string|null, latest: string|null, distance_m: number|null,
 *   basis: string, stale: boolean}|null} eta
 * @property {number|null} stops_before
 * @property {LineString|null} route
 * @property {LineString|null} trail
 * @property {'live'|'hidden'|'ended'} visibility
 * @property {Freshness} freshness
 * @property {{text: string, at: string}|null} note the driver's latest message
 * @property {string|null} ended why the stream is over
 */

const FIELDS = /** @type {const} */ ([
  'cursor', 'now', 'order', 'driver', 'position', 'eta', 'stops_before', 'route', 'trail', 'visibility', 'freshness',
]);
const LIVE_FOR = 15_000; // milliseconds
const LOST_AFTER = 120_000; // milliseconds

/** @param {object} snapshot as the server wrote it into the page @returns {State} */
export function begin(snapshot) {
  return merge(/** @type {State} */ ({ note: null, ended: null }), { ...snapshot, type: 'snapshot' });
}

/** @param {State} state @param {any} message @returns {State} */
export function merge(state, message) {
  switch (message.type) {
    case 'snapshot':
    case 'update':
      return checked({ ...state, ...fields(message) });
    case 'heartbeat':
      return { ...state, cursor: message.cursor ?? state.cursor, now: message.now };
    case 'message':
      return { ...state, note: { text: message.text, at: message.at } };
    case 'end':
      return { ...state, ended: message.reason };
    default:
      return state; // newer servers may say more
  }
}

/** @param {any} message @returns {Partial<State>} only what it says */
function fields(message) {
  return Object.fromEntries(FIELDS.filter((name) => name in message).map((name) => [name, message[name]]));
}

/** What is hidden is forgotten here too. @param {State} state @returns {State} */
function checked(state) {
  if (state.visibility === 'live') return state;
  return { ...state, position: null, route: null, trail: null };
}

/**
 * What may be shown as how fresh: the server's word, or older where the page itself hears nothing.
 * @param {State} state
 * @param {number} now milliseconds on the server's clock
 * @param {boolean} connected
 * @returns {Freshness}
 */
export function freshness(state, now, connected) {
  const age = positionAge(state, now);
  if (age === null) return 'none';
  if (state.freshness === 'lost' || age > LOST_AFTER) return 'lost';
  if (state.freshness === 'stale' || (!connected && age > LIVE_FOR)) return 'stale';
  return 'live';
}

/** @param {State} state @param {number} now @returns {number|null} milliseconds */
export function positionAge(state, now) {
  return state.position ? Math.max(0, now - Date.parse(state.position.recorded_at)) : null;
}

/** The server's clock, guessed so that no age is understated by a message's way here. */
export class ServerClock {
  /** @param {() => number} local milliseconds */
  constructor(local = Date.now) {
    this._local = local;
    this._offset = -Infinity;
  }

  /** @param {string} now as the server just said */
  hear(now) {
    this._offset = Math.max(this._offset, Date.parse(now) - this._local());
  }

  now() {
    return this._local() + (Number.isFinite(this._offset) ? this._offset : 0);
  }
}
