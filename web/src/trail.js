/** Trail: the part of the way travelled that the route does not show. Pure. */

/** @typedef {import('./path.js').LonLat} LonLat */
/** @typedef {import('./state.js').State} State */

const ON_THE_ROUTE = 35; // metres
const SINCE = 200; // places; the trail is told anew long before

/**
 * The places since the trail was told, for drawing it on to where the courier is now.
 * @param {LonLat[]} since as it was before @param {State|null} last @param {State} state
 * @returns {LonLat[]}
 */
export function since(since, last, state) {
  const begun = state.trail !== last?.trail || !state.position ? [] : since;
  if (!state.position || state.position === last?.position) return begun;
  const at = /** @type {LonLat} */ ([state.position.lon, state.position.lat]);
  return [...begun, at].slice(-SINCE);
}

/**
 * The trail up to where the route takes over: beside the route it would only be the same way drawn twice.
 * @param {import('./path.js').Path|null} route
 * @param {LonLat[]} trail
 * @returns {LonLat[]}
 */
export function before(route, trail) {
  if (!route) return trail;
  for (let i = 0; i < trail.length; i++) {
    const { along, offset } = route.project(trail[i]);
    if (offset <= ON_THE_ROUTE) return [...trail.slice(0, i), route.at(along)];
  }
  return trail;
}
