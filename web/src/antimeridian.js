/** Antimeridian: longitudes without the jump from 180 to -180 degrees, so that no line goes around the world. Pure. */

/** @typedef {import('./path.js').LonLat} LonLat */
/** @typedef {import('../types/order.js').LineString} LineString */
/** @typedef {import('../types/order.js').State} State */

/**
 * The longitude of the same meridian that is nearest to another; may exceed 180 degrees.
 * @param {number} lon degrees @param {number} other degrees @returns {number}
 */
export function nearest(lon, other) {
  return Math.abs(lon - other) <= 180 ? lon : lon + 360 * Math.round((other - lon) / 360);
}

/** Unwraps longitudes around the destination. Caches its results, so that an unchanged value stays the same object. */
export class Unwrapper {
  constructor() {
    /** @type {WeakMap<object, {other: number, result: object}>} */ this._cache = new WeakMap();
  }

  /**
   * Return the state with each longitude within 180 degrees of the destination's.
   * @param {State} state @returns {State}
   */
  unwrap(state) {
    const other = state.order.dropoff.lon;
    return this._cached(state, other, () => {
      const position = state.position && this._position(state.position, other);
      const route = state.route && this._line(state.route, other);
      const trail = state.trail && this._line(state.trail, other);
      const same = position === state.position && route === state.route && trail === state.trail;
      return same ? state : { ...state, position, route, trail };
    });
  }

  /** @template {{lon: number}} P @param {P} position @param {number} other @returns {P} */
  _position(position, other) {
    const lon = nearest(position.lon, other);
    return lon === position.lon ? position : this._cached(position, other, () => ({ ...position, lon }));
  }

  /** @param {LineString} line @param {number} other @returns {LineString} */
  _line(line, other) {
    return this._cached(line, other, () => {
      if (line.coordinates.every(([lon]) => nearest(lon, other) === lon)) return line;
      const coordinates = line.coordinates.map(([lon, lat]) => /** @type {LonLat} */ ([nearest(lon, other), lat]));
      return { ...line, coordinates };
    });
  }

  /** @template {object} T @param {T} given @param {number} other @param {() => T} compute @returns {T} */
  _cached(given, other, compute) {
    const known = this._cache.get(given);
    if (known?.other === other) return /** @type {T} */ (known.result);
    const result = compute();
    this._cache.set(given, { other, result });
    return result;
  }
}
