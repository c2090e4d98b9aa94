/** Follower: where the courier's marker stands between two positions. Pure: time is an argument. */

import { Path, distance } from './path.js';

/** @typedef {import('./path.js').LonLat} LonLat */
/** @typedef {{lat: number, lon: number, heading: number|null, speed: number|null, recorded_at: string}} Position */
/** @typedef {{at: LonLat, heading: number, along: number|null}} Shown */

const AHEAD_AT_MOST = 5; // seconds of dead reckoning
const HOLDS_BACK = 25; // metres: less than that behind, it waits instead of going back
const JUMPS_AT = 80; // metres: further than that, it does not glide
const ON_ROUTE = 40; // metres beside the line
const WINDOW_BACK = 60; // metres of the line searched behind the last place
const WINDOW_AHEAD = 600; // metres of the line searched ahead of it
const GLIDE = 0.7; // seconds to close two thirds of a gap
const TURN = 0.2; // seconds, likewise for the heading

export class Follower {
  constructor() {
    /** @type {Path|null} */ this._path = null;
    /** @type {{at: LonLat, heading: number|null, speed: number, along: number|null, time: number}|null} */
    this._fix = null;
    /** @type {Shown|null} */ this._shown = null;
    this._shownTime = 0;
  }

  /** @param {LonLat[]|null} coordinates the route, or null where there is none */
  setRoute(coordinates) {
    this._path = coordinates && coordinates.length > 1 ? new Path(coordinates) : null;
    if (this._fix) this._fix.along = this._find(this._fix.at, null);
    if (this._shown) this._shown.along = this._fix ? this._fix.along : null;
  }

  get path() {
    return this._path;
  }

  /** The corners of the route that lie ahead. @returns {LonLat[]} */
  remaining() {
    const along = this._fix?.along ?? null;
    return this._path && along !== null ? this._path.after(along) : [];
  }

  /** @param {Position|null} position null: nothing is to be shown any more */
  receive(position) {
    if (!position) {
      this._fix = this._shown = null;
      return;
    }
    const at = /** @type {LonLat} */ ([position.lon, position.lat]);
    const along = this._find(at, this._fix && this._fix.along);
    const time = Date.parse(position.recorded_at);
    this._fix = { at, heading: position.heading, speed: position.speed ?? 0, along, time };
  }

  /**
   * Where to draw the courier at this time.
   * @param {number} now milliseconds on the server's clock
   * @param {{reckon: boolean, glide: boolean}} how reckon: guess on from the last position; glide: no jumps
   * @returns {Shown|null}
   */
  show(now, { reckon, glide }) {
    if (!this._fix) return null;
    const target = this._target(now, reckon);
    const passed = Math.max(0, (now - this._shownTime) / 1000);
    this._shownTime = now;
    this._shown = this._shown && glide ? this._nearer(this._shown, target, passed) : target;
    return this._shown;
  }

  /** @param {number} now @param {boolean} reckon @returns {Shown} */
  _target(now, reckon) {
    const fix = /** @type {NonNullable<typeof this._fix>} */ (this._fix);
    if (fix.along === null || !this._path) {
      return { at: fix.at, heading: fix.heading ?? this._shown?.heading ?? 0, along: null };
    }
    const age = Math.min(AHEAD_AT_MOST, Math.max(0, (now - fix.time) / 1000));
    return this._on(fix.along + (reckon ? fix.speed * age : 0));
  }

  /** @param {Shown} shown @param {Shown} target @param {number} passed seconds @returns {Shown} */
  _nearer(shown, target, passed) {
    const heading = turned(shown.heading, target.heading, 1 - Math.exp(-passed / TURN));
    const part = 1 - Math.exp(-passed / GLIDE);
    if (shown.along === null || target.along === null) {
      const far = distance(shown.at, target.at) > JUMPS_AT;
      return { ...target, at: far ? target.at : between(shown.at, target.at, part), heading };
    }
    const gap = target.along - shown.along;
    if (Math.abs(gap) > JUMPS_AT) return target;
    if (gap < 0 && gap > -HOLDS_BACK) return { ...shown, heading };
    return { ...this._on(shown.along + gap * part), heading };
  }

  /** @param {number} along @returns {Shown} */
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
 * The shorter way round.
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
