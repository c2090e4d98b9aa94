/** SketchView: the route without streets, for browsers that cannot draw the map. Same methods as MapView. */

import { linksBetween } from './links.js';
import { Path } from './path.js';

/** @typedef {import('./path.js').LonLat} LonLat */
/** @typedef {[number, number]} Point pixels from the left and the top */
/** @typedef {{top: number, right: number, bottom: number, left: number}} Padding */

const SVG = 'http://www.w3.org/2000/svg';
const MIN_SCALE = 0.5; // metres per pixel: a short route is not enlarged further
const METRES = 111_195; // per degree of latitude
const GRID = 80; // pixels
const TOO_SMALL = 1.7; // times smaller than possible: fit again

/**
 * Fit places into the padding, north up.
 * @param {LonLat[]} places @param {number} width @param {number} height @param {Padding} padding
 * @returns {{at: (place: LonLat) => Point, scale: number}} scale: metres per pixel
 */
export function fit(places, width, height, { top, right, bottom, left }) {
  const lons = places.map(([lon]) => lon);
  const lats = places.map(([, lat]) => lat);
  const middle = [(Math.min(...lons) + Math.max(...lons)) / 2, (Math.min(...lats) + Math.max(...lats)) / 2];
  const squeeze = Math.cos((middle[1] * Math.PI) / 180);
  const wide = (Math.max(...lons) - Math.min(...lons)) * METRES * squeeze;
  const high = (Math.max(...lats) - Math.min(...lats)) * METRES;
  const inner = [Math.max(1, width - left - right), Math.max(1, height - top - bottom)];
  const scale = Math.max(MIN_SCALE, wide / inner[0], high / inner[1]);
  const centre = [left + inner[0] / 2, top + inner[1] / 2];
  /** @param {LonLat} place @returns {Point} */
  const at = ([lon, lat]) => [
    centre[0] + ((lon - middle[0]) * METRES * squeeze) / scale,
    centre[1] - ((lat - middle[1]) * METRES) / scale,
  ];
  return { at, scale };
}

export class SketchView {
  /**
   * @param {HTMLElement} container
   * @param {{words: import('./translations.js').Translations, padding: () => Padding}} options MapView has more
   */
  constructor(container, { words, padding }) {
    this._container = container;
    this._padding = padding;
    this._svg = container.appendChild(document.createElementNS(SVG, 'svg'));
    this._svg.setAttribute('class', 'sketch');
    this._svg.setAttribute('aria-hidden', 'true');
    this._lines = Object.fromEntries(['grid', 'casing', 'ahead', 'behind', 'direct', 'last'].map((name) => [name, this._line(name)]));
    this._note = container.appendChild(document.createElement('p'));
    this._note.className = 'sketch-note';
    this._note.dir = 'auto';
    this._note.textContent = words.say('sketch');
    /** @type {LonLat[]} */ this._places = [];
    /** @type {LonLat[]} */ this._route = [];
    /** @type {LonLat[]} */ this._trail = [];
    /** @type {[LonLat, HTMLElement]|null} */ this._destination = null;
    /** @type {[LonLat, HTMLElement]|null} */ this._pickup = null;
    /** @type {[LonLat, HTMLElement, number]|null} */ this._courier = null;
    this._along = 0;
  }

  remove() {
    this._svg.remove();
    this._note.remove();
  }

  recentre() {}

  /** Give the marks away. */
  release() {
    for (const mark of [this._destination, this._pickup, this._courier]) mark?.[1].classList.remove('sketched');
    this._destination = this._pickup = this._courier = null;
  }

  /** @param {boolean} hidden */
  hide(hidden) {
    this._svg.toggleAttribute('hidden', hidden);
    this._note.hidden = hidden;
  }

  /** @param {LonLat} at @param {HTMLElement} element */
  setDestination(at, element) {
    this._destination = [at, this._adopt(element)];
    this._draw();
  }

  /** @param {LonLat|null} at null: show none @param {HTMLElement} element */
  setPickup(at, element) {
    this._pickup = at && [at, this._adopt(element)];
    if (!at) element.remove();
    element.hidden = !at;
    this._drawMarks();
  }

  /** @param {LonLat|null} at @param {number} heading degrees @param {HTMLElement} element */
  setCourier(at, heading, element) {
    this._courier = at && [at, this._adopt(element), heading];
    element.hidden = !at;
    if (!at) element.remove();
    this._drawLinks();
    this._drawMarks();
  }

  /** @param {LonLat[]} route @param {number} _length @param {LonLat[]} trail */
  setLines(route, _length, trail) {
    this._route = route;
    this._trail = trail;
    this._draw();
  }

  /** @param {number} along metres of the route */
  setTravelled(along) {
    if (Math.abs(along - this._along) < 4) return;
    this._along = along;
    this._draw();
  }

  /** @param {LonLat[]} places */
  keepInView(places) {
    this._places = places;
    this._draw();
  }

  /** @param {HTMLElement} element */
  _adopt(element) {
    if (element.parentNode !== this._container) this._container.append(element);
    element.classList.add('sketched');
    element.hidden = false;
    return element;
  }

  _draw() {
    const { clientWidth: width, clientHeight: height } = this._container;
    this._fit(width, height, this._padding());
    const path = this._route.length > 1 ? new Path(this._route) : null;
    const behind = path ? [...this._route.filter((_, i) => i < this._passed(path)), path.at(this._along)] : [];
    this._write('grid', grid(width, height));
    this._write('casing', this._pathData(this._trail) + this._pathData(this._route));
    this._write('ahead', this._pathData(this._route));
    this._write('behind', this._pathData(this._trail) + this._pathData(behind));
    this._drawLinks();
    this._drawMarks();
  }

  _drawLinks() {
    if (!this._destination) return;
    const { direct, last } = linksBetween(this._route, this._courier && this._courier[0], this._destination[0]);
    this._write('direct', this._pathData(direct));
    this._write('last', this._pathData(last));
  }

  /**
   * Fit again only if a place is outside the padding, or the drawing is too small.
   * @param {number} width @param {number} height @param {Padding} padding
   */
  _fit(width, height, padding) {
    const places = this._places.length ? this._places : [this._destination?.[0] ?? /** @type {LonLat} */ ([0, 0])];
    const best = fit(places, width, height, padding);
    const { top, right, bottom, left } = padding;
    const size = `${width} ${height} ${left} ${bottom}`;
    const last = this._size === size ? this._fitted : undefined;
    const within = last && places.map(last.at).every(
      ([x, y]) => x >= left - 8 && x <= width - right + 8 && y >= top - 8 && y <= height - bottom + 8,
    );
    if (within && last.scale / best.scale < TOO_SMALL) return;
    this._fitted = best;
    this._size = size;
  }

  /** The number of corners behind the courier. @param {Path} path */
  _passed(path) {
    return this._route.length - path.after(this._along).length;
  }

  _drawMarks() {
    if (this._destination) this._transform(this._destination[1], this._destination[0], -18, -48, '');
    if (this._pickup) this._transform(this._pickup[1], this._pickup[0], -14, -14, '');
    if (this._courier) this._transform(this._courier[1], this._courier[0], -20, -20, ` rotate(${this._courier[2]}deg)`);
  }

  /** @param {HTMLElement} element @param {LonLat} at @param {number} dx @param {number} dy @param {string} turn */
  _transform(element, at, dx, dy, turn) {
    const [x, y] = this._fitted?.at(at) ?? [0, 0];
    element.style.transform = `translate(${(x + dx).toFixed(1)}px, ${(y + dy).toFixed(1)}px)${turn}`;
  }

  /** @param {LonLat[]} places */
  _pathData(places) {
    const point = this._fitted?.at;
    if (places.length < 2 || !point) return '';
    return `M${places.map((place) => point(place).map((n) => n.toFixed(1)).join(' ')).join('L')}`;
  }

  /** @param {string} name */
  _line(name) {
    const line = this._svg.appendChild(document.createElementNS(SVG, 'path'));
    line.setAttribute('class', name);
    return line;
  }

  /** @param {string} name @param {string} drawing */
  _write(name, drawing) {
    if (this._lines[name].getAttribute('d') !== drawing) this._lines[name].setAttribute('d', drawing);
  }
}

/** @param {number} width @param {number} height */
function grid(width, height) {
  let drawing = '';
  for (let x = GRID; x < width; x += GRID) drawing += `M${x} 0V${height}`;
  for (let y = GRID; y < height; y += GRID) drawing += `M0 ${y}H${width}`;
  return drawing;
}
