/** MarkerMotion: moves the courier's marker smoothly from one position to the next. Pure: time is an argument. */

import { Path, distance } from './path.js';

/** @typedef {import('./path.js').LonLat} LonLat */
/** @typedef {import('../types/order.js').Position} Position */
/** @typedef {{at: LonLat, heading: number, along: number|null}} Marker along: metres of the route; null away from it */

const MAX_RECKONING = 5; // seconds of dead reckoning
const MAX_WAIT = 25; // metres: a marker ahead of its target by less waits instead of reversing
const MAX_GLIDE = 80; // metres: over a longer gap the marker jumps
const ON_ROUTE = 40; // metres from the line
const WINDOW_BACK = 60; // metres of the line to search behind the last place
const WINDOW_AHEAD = 600; // metres of the line to search ahead of it
const GLIDE = 0.7; // seconds to close two thirds of a gap
const TURN = 0.2; // seconds to make two thirds of a turn

export class MarkerMotion {
  constructor() {
    /** @type {Path|null} */ this._path = null;
    /** @type {{at: LonLat, heading: number|null, speed: number, along: number|null, time: number}|null} */
    this._fix = null;
    /** @type {Marker|null} */ this._marker = null;
    this._markerTime = 0;
  }

  /** @param {LonLat[]|null} coordinates the route, or null if there is none */
  setRoute(coordinates) {
    this._path = coordinates && coordinates.length > 1 ? new Path(coordinates) : null;
    if (this._fix) this._fix.along = this._find(this._fix.at, null);
    if (this._marker) this._marker.along = this._fix ? this._fix.along : null;
  }

  get path() {
    return this._path;
  }

  /** The corners of the route ahead. @returns {LonLat[]} */
  remaining() {
    const along = this._fix?.along ?? null;
    return this._path && along !== null ? this._path.after(along) : [];
  }

  /** @param {Position|null} position null: hide the marker */
  receive(position) {
    if (!position) {
      this._fix = this._marker = null;
      return;
    }
    const at = /** @type {LonLat} */ ([position.lon, position.lat]);
    const along = this._find(at, this._fix && this._fix.along);
    const time = Date.parse(position.recorded_at);
    this._fix = { at, heading: position.heading, speed: position.speed ?? 0, along, time };
  }

  /**
   * The marker at this time.
   * @param {number} now milliseconds on the server's clock
   * @param {{reckon: boolean, glide: boolean}} options reckon: extrapolate the last position; glide: move smoothly
   * @returns {Marker|null}
   */
  show(now, { reckon, glide }) {
    if (!this._fix) return null;
    const target = this._target(now, reckon);
    const elapsed = Math.max(0, (now - this._markerTime) / 1000);
    this._markerTime = now;
    this._marker = this._marker && glide ? this._glide(this._marker, target, elapsed) : target;
    return this._marker;
  }

  /** @param {number} now @param {boolean} reckon @returns {Marker} */
  _target(now, reckon) {
    const fix = /** @type {NonNullable<typeof this._fix>} */ (this._fix);
    if (fix.along === null || !this._path) {
      return { at: fix.at, heading: fix.heading ?? this._marker?.heading ?? 0, along: null };
    }
    const age = Math.min(MAX_RECKONING, Math.max(0, (now - fix.time) / 1000));
    return this._on(fix.along + (reckon ? fix.speed * age : 0));
  }

  /** @param {Marker} marker @param {Marker} target @param {number} elapsed seconds @returns {Marker} */
  _glide(marker, target, elapsed) {
    const heading = turned(marker.heading, target.heading, 1 - Math.exp(-elapsed / TURN));
    const part = 1 - Math.exp(-elapsed / GLIDE);
    if (marker.along === null || target.along === null) {
      const far = distance(marker.at, target.at) > MAX_GLIDE;
      return { ...target, at: far ? target.at : between(marker.at, target.at, part), heading };
    }
    const gap = target.along - marker.along;
    if (Math.abs(gap) > MAX_GLIDE) return target;
    if (gap < 0 && gap > -MAX_WAIT) return { ...marker, heading };
    return { ...this._on(marker.along + gap * part), heading };
  }

  /** @param {number} along @returns {Marker} */
  _on(along) {
    const path = /** @type {Path} */ (this._path);
    const within = Math.min(path.length, along);
    return { at: path.at(within), heading: path.bearing(within), along: within };
  }

  /** @param {LonLat} at @param {number|null} last metres @returns {number|null} null: not on the route */
  _find(at, last) {
    if (!this._path) return null;
    if (last !== null) {
      const near = this._path.project(at, Math.max(0, last - WINDOW_BACK), last + WINDOW_AHEAD);
      if (near.offset <= ON_ROUTE) return near.along;
    }
    const found = this._path.project(at);
    return found.offset <= ON_ROUTE ? found.along : null;
  }
}

/**
 * Turn a heading part of the way to another, in the shorter direction.
 * @param {number} from degrees @param {number} to degrees @param {number} part 0..1
 * @returns {number} degrees, 0 <= heading < 360
 */
export function turned(from, to, part) {
  const difference = ((to - from + 540) % 360) - 180;
  return (from + difference * part + 360) % 360;
}

/** @param {LonLat} a @param {LonLat} b @param {number} part @returns {LonLat} */
function between(a, b, part) {
  return [a[0] + (b[0] - a[0]) * part, a[1] + (b[1] - a[1]) * part];
}
