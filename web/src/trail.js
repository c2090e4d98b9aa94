/** Trail: the driven path that the route does not show. Pure. */

/** @typedef {import('./path.js').LonLat} LonLat */
/** @typedef {import('../types/order.js').State} State */

const ON_THE_ROUTE = 35; // metres
const MAX_PLACES = 200; // the server sends a new trail long before

/**
 * The places since the server sent the trail, to extend it to the courier.
 * @param {LonLat[]} places the previous result @param {State|null} last @param {State} state
 * @returns {LonLat[]}
 */
export function sinceTrail(places, last, state) {
  const kept = state.trail !== last?.trail || !state.position ? [] : places;
  if (!state.position || state.position === last?.position) return kept;
  const at = /** @type {LonLat} */ ([state.position.lon, state.position.lat]);
  return [...kept, at].slice(-MAX_PLACES);
}

/**
 * The trail up to where it meets the route. Beside the route it would draw the same path twice.
 * @param {import('./path.js').Path|null} route
 * @param {LonLat[]} trail
 * @returns {LonLat[]}
 */
export function trailBefore(route, trail) {
  if (!route) return trail;
  for (let i = 0; i < trail.length; i++) {
    const { along, offset } = route.project(trail[i]);
    if (offset <= ON_THE_ROUTE) return [...trail.slice(0, i), route.at(along)];
  }
  return trail;
}
