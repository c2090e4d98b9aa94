/** State: what the page knows of the order, merged from the stream's messages. Pure: each step returns a new value. */

/** @typedef {import('../types/order.js').State} State */
/** @typedef {import('../types/order.js').View} View */
/** @typedef {import('../types/order.js').Snapshot} Snapshot */
/** @typedef {import('../types/order.js').Update} Update */
/** @typedef {import('../types/order.js').Message} Message */
/** @typedef {import('../types/order.js').Freshness} Freshness */

const FIELDS = /** @type {const} */ ([
  'cursor', 'now', 'order', 'driver', 'position', 'eta', 'stops_before', 'route', 'trail', 'visibility', 'freshness',
  'pin', 'proofs',
]);
const ABSENT = { pin: null, proofs: /** @type {View['proofs']} */ ([]) }; // what a snapshot without these fields says
const LIVE_FOR = 15_000; // milliseconds
const LOST_AFTER = 120_000; // milliseconds

/** @param {Snapshot} snapshot @returns {State} */
export function begin(snapshot) {
  return visible(/** @type {State} */ ({ note: null, ended: null, ...ABSENT, ...fields(snapshot) }));
}

/** @param {State} state @param {Message} message @returns {State} */
export function merge(state, message) {
  switch (message.type) {
    case 'snapshot':
      return visible({ ...state, ...ABSENT, ...fields(message) });
    case 'update':
      return visible({ ...state, ...fields(message) });
    case 'heartbeat':
      return { ...state, cursor: message.cursor ?? state.cursor, now: message.now };
    case 'message':
      return { ...state, note: { text: message.text, at: message.at } };
    case 'end':
      return { ...state, ended: message.reason };
    default:
      return state; // of a newer server
  }
}

/** The fields that a message carries. @param {Snapshot|Update} message @returns {Partial<View>} */
function fields(message) {
  return Object.fromEntries(FIELDS.filter((name) => name in message).map((name) => [name, message[name]]));
}

/** Drop what the customer may no longer see. @param {State} state @returns {State} */
function visible(state) {
  if (state.visibility === 'live') return state;
  return { ...state, position: null, route: null, trail: null };
}

/**
 * The freshness to show: the server's, or a worse one if the page itself receives nothing.
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

/** The server's clock. The estimate is the latest possible, so that network delay never understates an age. */
export class ServerClock {
  /** @param {() => number} local milliseconds */
  constructor(local = Date.now) {
    this._local = local;
    this._offset = -Infinity;
  }

  /** @param {string} now the server's clock in a message that just arrived */
  hear(now) {
    this._offset = Math.max(this._offset, Date.parse(now) - this._local());
  }

  now() {
    return this._local() + (Number.isFinite(this._offset) ? this._offset : 0);
  }
}
