/** LastPickup: where the shop's orders are picked up, remembered in this browser for each service. */

/** @typedef {{address: string, lat?: number, lon?: number}} Pickup */

/** @param {string} service its base URL */
const keyOf = (service) => `tracker pickup ${service}`;

/**
 * @param {string} service @param {Iterable<import('../../../types/fleet.js').FleetOrder>} orders of the fleet, for a browser without memory
 * @returns {Pickup|null}
 */
export function lastPickup(service, orders) {
  try {
    const kept = JSON.parse(localStorage.getItem(keyOf(service)) ?? 'null');
    if (kept && typeof kept.address === 'string') return kept;
  } catch {
    // no storage, or it was damaged
  }
  const newest = [...orders].reduce((one, other) => (!one || other.created_at > one.created_at ? other : one), /** @type {any} */ (null));
  return newest?.pickup.address ? { address: newest.pickup.address, lat: newest.pickup.lat, lon: newest.pickup.lon } : null;
}

/** @param {string} service @param {Pickup} pickup */
export function keepPickup(service, pickup) {
  try {
    localStorage.setItem(keyOf(service), JSON.stringify(pickup));
  } catch {
    // no storage: the next form is empty
  }
}
