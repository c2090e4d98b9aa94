/** Path: a line on the ground, in metres. Pure. */

const EARTH_RADIUS = 6_371_008.8; // metres
const DEGREE = Math.PI / 180;
const TIE = 0.01; // metres: of two places that differ by less, the first one counts

/** @typedef {[number, number]} LonLat degrees */
/** @typedef {{along: number, offset: number}} Place along: metres from the start; offset: metres from the line */

export class Path {
  /** @param {LonLat[]} coordinates at least two places */
  constructor(coordinates) {
    if (coordinates.length < 2) throw new RangeError('A path needs at least two places.');
    this.coordinates = coordinates;
    const [lon, lat] = coordinates[0];
    this._origin = /** @type {LonLat} */ ([lon, lat]);
    this._perLat = EARTH_RADIUS * DEGREE;
    this._perLon = this._perLat * Math.cos(lat * DEGREE);
    this._points = coordinates.map((place) => this._flat(place));
    this._lengths = [0]; // metres from the start to each point
    for (let i = 1; i < this._points.length; i++) {
      const [ax, ay] = this._points[i - 1];
      const [bx, by] = this._points[i];
      this._lengths.push(this._lengths[i - 1] + Math.hypot(bx - ax, by - ay));
    }
  }

  /** Metres. */
  get length() {
    return this._lengths[this._lengths.length - 1];
  }

  /** @param {number} along metres, clamped to the path @returns {LonLat} */
  at(along) {
    const i = this._segment(along);
    const part = this._part(i, along);
    const [a, b] = [this.coordinates[i], this.coordinates[i + 1]];
    return [a[0] + (b[0] - a[0]) * part, a[1] + (b[1] - a[1]) * part];
  }

  /** @param {number} along metres @returns {number} degrees clockwise from north */
  bearing(along) {
    const i = this._segment(along);
    const [ax, ay] = this._points[i];
    const [bx, by] = this._points[i + 1];
    return (Math.atan2(bx - ax, by - ay) / DEGREE + 360) % 360;
  }

  /** The corners beyond a place. @param {number} along metres @returns {LonLat[]} */
  after(along) {
    return this.coordinates.slice(this._segment(along) + 1);
  }

  /**
   * The nearest place on the line. A window separates the way out from the way back in the same street.
   * @param {LonLat} place
   * @param {number} [from] metres
   * @param {number} [to] metres
   * @returns {Place}
   */
  project(place, from = 0, to = Infinity) {
    const point = this._flat(place);
    /** @type {Place} */
    let best = { along: 0, offset: Infinity };
    for (let i = this._segment(from); i < this._points.length - 1 && this._lengths[i] <= to; i++) {
      const found = this._nearest(i, point);
      if (found.offset < best.offset - TIE) best = found;
    }
    return best;
  }

  /** @param {number} i @param {[number, number]} point @returns {Place} */
  _nearest(i, [x, y]) {
    const [ax, ay] = this._points[i];
    const [dx, dy] = [this._points[i + 1][0] - ax, this._points[i + 1][1] - ay];
    const squared = dx * dx + dy * dy;
    const part = squared ? Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / squared)) : 0;
    return {
      along: this._lengths[i] + part * Math.sqrt(squared),
      offset: Math.hypot(x - ax - part * dx, y - ay - part * dy),
    };
  }

  /** @param {number} along @returns {number} index of the segment there */
  _segment(along) {
    let [low, high] = [0, this._lengths.length - 2];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this._lengths[middle] <= along) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** @param {number} i @param {number} along @returns {number} 0..1 */
  _part(i, along) {
    const length = this._lengths[i + 1] - this._lengths[i];
    return length ? Math.min(1, Math.max(0, (along - this._lengths[i]) / length)) : 0;
  }

  /** @param {LonLat} place @returns {[number, number]} metres east and north of the first place */
  _flat([lon, lat]) {
    const east = ((lon - this._origin[0] + 540) % 360) - 180;
    return [east * this._perLon, (lat - this._origin[1]) * this._perLat];
  }
}

/** @param {LonLat} a @param {LonLat} b @returns {number} metres; accurate for short distances */
export function distance(a, b) {
  const east = (((b[0] - a[0] + 540) % 360) - 180) * Math.cos(((a[1] + b[1]) / 2) * DEGREE);
  return Math.hypot(east, b[1] - a[1]) * DEGREE * EARTH_RADIUS;
}
