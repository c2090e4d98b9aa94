/** Card: the texts that the customer reads. Pure. The server renders the same texts into the page first. */

/** @typedef {import('../types/order.js').State} State */
/** @typedef {import('./times.js').Times} Times */
/** @typedef {'Picked up'|'On the way'|'Nearby'|'Delivered'} Step */
/**
 * @typedef {object} Card
 * @property {string} phase for the style sheet: waiting, moving, done, over
 * @property {string} eyebrow
 * @property {string} headline
 * @property {string} estimate may be empty
 * @property {number[]} steps the completed part of each of the four, 0..1
 * @property {number} current index of the current step, -1 for none
 * @property {number} progress 0..1, of the ring
 * @property {string} stops may be empty
 * @property {string} code the PIN that the customer tells the courier; may be empty
 */

export const STEPS = /** @type {Step[]} */ (['Picked up', 'On the way', 'Nearby', 'Delivered']);
export const VEHICLES = /** @type {Record<string, string>} */ ({
  car: 'Car', bicycle: 'Bicycle', scooter: 'Scooter', foot: 'On foot',
});
const NEAR_METRES = 250;
const NEAR_SECONDS = 60;
const LONG = 60; // minutes: above this, show the time of day

const OVER = /** @type {Record<string, [string, string]>} */ ({
  failed: ['Not delivered', 'Delivery did not succeed'],
  cancelled: ['Cancelled', 'This order was cancelled'],
  revoked: ['Link ended', 'This tracking link has ended'],
  expired: ['Link ended', 'This tracking link has ended'],
});

/**
 * @param {State} state
 * @param {number} now milliseconds on the server's clock
 * @param {Times} times
 * @returns {Card}
 */
export function describe(state, now, times) {
  const end = state.ended ?? state.order.status;
  if (end === 'delivered') return delivered(state, times);
  if (end in OVER) return over(end);
  return onTheWay(state, now, times);
}

/** @param {State} state @param {Times} times @returns {Card} */
function delivered(state, { clock }) {
  const at = state.order.timestamps.delivered;
  return {
    phase: 'done', eyebrow: 'Delivered', headline: at ? `Delivered at ${clock(at)}` : 'Delivered',
    estimate: '', steps: [1, 1, 1, 1], current: 3, progress: 1, stops: '', code: '',
  };
}

/** @param {string} end @returns {Card} */
function over(end) {
  const [eyebrow, headline] = OVER[end];
  return { phase: 'over', eyebrow, headline, estimate: '', steps: [0, 0, 0, 0], current: -1, progress: 0, stops: '', code: '' };
}

/** @param {State} state @param {number} now @param {Times} times @returns {Card} */
function onTheWay(state, now, times) {
  const { status } = state.order;
  const progress = travelled(state, now);
  const current = status !== 'picked_up' ? 0 : isNear(state, now) ? 2 : 1;
  const steps = STEPS.map((_, i) => (i < current ? 1 : i === current && state.driver ? Math.max(0.08, progress) : 0));
  return {
    phase: state.driver ? 'moving' : 'waiting',
    eyebrow: eyebrowOf(status, current),
    headline: headlineOf(state, now, times),
    estimate: estimateOf(state, now, times),
    steps,
    current: state.driver ? current : -1,
    progress,
    stops: stopsBefore(state.stops_before, state.driver !== null && state.visibility === 'hidden'),
    code: state.pin ?? '',
  };
}

/** The id of the newest photo that proves the delivery; empty if there is none. @param {State} state */
export function newestPhoto(state) {
  return state.proofs.findLast(({ kind }) => kind === 'photo')?.id ?? '';
}

/** @param {string} status @param {number} current */
function eyebrowOf(status, current) {
  if (status === 'created') return 'Order received';
  if (status === 'assigned') return 'Courier assigned';
  return current === 2 ? 'Nearby' : 'On the way';
}

/** @param {State} state @param {number} now @param {Times} times */
function headlineOf(state, now, times) {
  const at = state.eta?.arrives_at;
  const window = planned(state, now);
  if (!at && window) return times.span(window.from, window.to, now);
  if (state.order.status === 'created') return 'Looking for a courier';
  if (!at) return state.order.status === 'picked_up' ? 'On the way to you' : 'Your order is being prepared';
  const minutes = minutesTo(at, now);
  const isVague = state.eta?.stale || state.freshness === 'lost' || minutes > LONG;
  if (isVague) return `Arriving about ${times.moment(at, now)}`;
  return minutes < 1 ? 'Arriving now' : `Arriving in ${minutes} min`;
}

/** @param {string} at @param {number} now @returns {number} whole minutes, never negative */
export function minutesTo(at, now) {
  return Math.max(0, Math.round((Date.parse(at) - now) / 60_000));
}

/** The time window, unless it has passed. @param {State} state @param {number} now */
function planned({ order: { window } }, now) {
  return window?.from && window.to && now <= Date.parse(window.to) ? window : null;
}

/** @param {State} state @param {number} now @param {Times} times */
function estimateOf(state, now, times) {
  const { earliest, latest } = state.eta ?? {};
  if (earliest && latest) return `Estimated ${times.range(earliest, latest, now)}`;
  const { window } = state.order;
  if (planned(state, now)) return 'Planned delivery';
  return window?.from && window.to ? `Planned: ${times.span(window.from, window.to, now)}` : '';
}

/** @param {number|null} count @param {boolean} hidden whether the customer may not see the courier's position yet */
function stopsBefore(count, hidden) {
  const stops = count === 1 ? '1 stop' : `${count} stops`;
  if (!hidden) return count ? `${stops} before yours` : '';
  if (!count) return 'You will see your courier on the map when they are near.';
  return `Your courier has ${stops} before yours; you will see them on the map when they are near.`;
}

/** @param {State} state @param {number} now */
function isNear(state, now) {
  if (state.stops_before || !state.eta?.arrives_at) return false;
  const metres = state.eta.distance_m ?? Infinity;
  const due = Date.parse(state.eta.arrives_at) - now <= NEAR_SECONDS * 1000;
  return metres <= NEAR_METRES || (due && state.freshness !== 'lost'); // for a lost courier, only the distance counts
}

/** Elapsed part of the time from the last status to the arrival. @param {State} state @param {number} now */
function travelled(state, now) {
  const { status, timestamps } = state.order;
  const since = Date.parse(timestamps[status] ?? '');
  const until = Date.parse(state.eta?.arrives_at ?? '');
  if (!(until > since)) return 0;
  return Math.min(1, Math.max(0, (now - since) / (until - since)));
}

/** @param {number} age milliseconds @returns {string} */
export function lastSeen(age) {
  const minutes = Math.floor(age / 60_000);
  if (minutes < 1) return `Last seen ${Math.floor(age / 1000)} s ago`;
  return minutes < LONG ? `Last seen ${minutes} min ago` : `Last seen ${Math.floor(minutes / 60)} h ago`;
}
