/** Meridian: places without the jump from 180 to -180 degrees: no line leads around the world. Pure. */

/** @typedef {import('./path.js').LonLat} LonLat */
/** @typedef {import('./state.js').State} State */

/**
 * The longitude of the same meridian that lies nearest to another; may be beyond 180 degrees.
 * @param {number} lon degrees @param {number} other degrees @returns {number}
 */
export function nearest(lon, other) {
  return Math.abs(lon - other) <= 180 ? lon : lon + 360 * Math.round((other - lon) / 360);
}

/** Keeps what it made: what did not change stays the same object. */
export class Meridian {
  constructor() {
    /** @type {WeakMap<object, {other: number, made: any}>} */ this._made = new WeakMap();
  }

  /**
   * The state with each place on the side of the destination.
   * @param {State} state @returns {State}
   */
  near(state) {
    const other = state.order.dropoff.lon;
    return this._once(state, other, () => {
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
    return lon === position.lon ? position : this._once(position, other, () => ({ ...position, lon }));
  }

  /** @param {import('./state.js').LineString} line @param {number} other @returns {import('./state.js').LineString} */
  _line(line, other) {
    return this._once(line, other, () => {
      if (line.coordinates.every(([lon]) => nearest(lon, other) === lon)) return line;
      const coordinates = line.coordinates.map(([lon, lat]) => /** @type {LonLat} */ ([nearest(lon, other), lat]));
      return { ...line, coordinates };
    });
  }

  /** @template {object} T @param {T} given @param {number} other @param {() => T} make @returns {T} */
  _once(given, other, make) {
    const known = this._made.get(given);
    if (known?.other === other) return known.made;
    const made = make();
    this._made.set(given, { other, made });
    return made;
  }
}
