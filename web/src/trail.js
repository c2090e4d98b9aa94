/** Trail: the part of the way travelled that the route does not show. Pure. */

/** @typedef {import('./path.js').LonLat} LonLat */

const ON_THE_ROUTE = 35; // metres

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
