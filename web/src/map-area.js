/** MapArea: the sketch at once, and the map in its place as soon and as long as the browser can draw it. */

import { MapView, canDraw, loadLibrary } from './map.js';
import { SketchView } from './sketch.js';

/** @typedef {import('./path.js').LonLat} LonLat */
/** @typedef {ConstructorParameters<typeof MapView>[1]} MapOptions */

const RETRY_DELAYS = [2_000, 5_000, 15_000, 60_000]; // milliseconds, times 0.5 to 1.5 at random
const RESTORED_WITHIN = 5_000; // milliseconds for the browser to give back a WebGL context

export class MapArea {
  /**
   * @param {HTMLElement} tracker whose `data-map` is `wait`, or `sketch` if the service has no map yet
   * @param {HTMLElement} container
   * @param {Omit<MapOptions, 'library'|'onReady'|'onIdle'|'onFailed'|'onLost'>} options
   */
  constructor(tracker, container, options) {
    this._tracker = tracker;
    this._container = container;
    this._options = options;
    this._sketch = new SketchView(container, options);
    /** @type {MapView|null} */ this._map = null; // perhaps not ready yet
    /** @type {HTMLElement|null} */ this._canvas = null;
    /** @type {SketchView|MapView} */ this._shown = this._sketch;
    /** @type {[LonLat, HTMLElement]|null} */ this._destination = null;
    /** @type {[LonLat|null, HTMLElement]|null} */ this._pickup = null;
    /** @type {Parameters<SketchView['setCourier']>|null} */ this._courier = null;
    /** @type {Parameters<SketchView['setLines']>} */ this._lines = [[], 0, []];
    /** @type {LonLat[]} */ this._places = [];
    this._along = 0;
    this._attempt = 0;
    this._removed = false;
    /** @type {ReturnType<typeof setTimeout>|undefined} */ this._timer = undefined;
    if (tracker.dataset.map === 'sketch') this._fail();
    else this._open();
  }

  remove() {
    this._removed = true;
    this._close();
    this._sketch.remove();
  }

  /** Fetch tiles again that failed while the device was offline. */
  retry() {
    this._map?.retry();
  }

  recentre() {
    this._shown.recentre();
  }

  /** @param {boolean} dark */
  setDark(dark) {
    this._options.dark = dark;
    this._map?.setDark(dark);
  }

  /** @param {LonLat} at @param {HTMLElement} element */
  setDestination(at, element) {
    this._destination = [at, element];
    this._shown.setDestination(at, element);
  }

  /** Let the user move the pin on the map. @param {LonLat} at @param {(at: LonLat) => void} onMove */
  movePin(at, onMove) {
    this._mark('moving');
    if (this._shown instanceof MapView) this._shown.movePin(at, onMove);
  }

  /** @param {LonLat} at */
  putPin(at) {
    if (this._shown instanceof MapView) this._shown.putPin(at);
  }

  /** End `movePin`. @param {LonLat} at where the pin belongs */
  fixPin(at) {
    this._mark('');
    if (this._shown instanceof MapView) this._shown.fixPin(at);
  }

  /** Tell the style sheet and assistive technology whether the pin can be moved. @param {''|'moving'} state */
  _mark(state) {
    const pin = this._destination?.[1];
    pin?.classList.toggle('moving', state !== '');
    pin?.setAttribute('role', state ? 'button' : 'img');
    if (state) pin?.setAttribute('tabindex', '0');
    else pin?.removeAttribute('tabindex');
  }

  /** @param {LonLat|null} at null: show none @param {HTMLElement} element */
  setPickup(at, element) {
    this._pickup = [at, element];
    this._shown.setPickup(at, element);
  }

  /** @param {LonLat|null} at @param {number} heading degrees @param {HTMLElement} element */
  setCourier(at, heading, element) {
    this._courier = [at, heading, element];
    this._shown.setCourier(at, heading, element);
  }

  /** @param {LonLat[]} route @param {number} length metres @param {LonLat[]} trail */
  setLines(route, length, trail) {
    this._lines = [route, length, trail];
    for (const view of this._views) view.setLines(route, length, trail);
  }

  /** @param {number} along metres of the route */
  setTravelled(along) {
    this._along = along;
    for (const view of this._views) view.setTravelled(along);
  }

  /** @param {LonLat[]} places @param {boolean} [now] */
  keepInView(places, now = false) {
    this._places = places;
    for (const view of this._views) view.keepInView(places, now);
  }

  /** The sketch while it is shown, and the map, also while it loads. */
  get _views() {
    return [this._shown === this._sketch ? this._sketch : null, this._map].filter((view) => view !== null);
  }

  async _open() {
    try {
      const library = await loadLibrary(this._attempt);
      if (!(await canDraw())) return this._settle();
      if (!this._removed) this._openMap(library);
    } catch (error) {
      console.warn('The map could not be loaded:', error);
      this._fail();
    }
  }

  /** @param {import('./map.js').Library} library */
  _openMap(library) {
    const canvas = (this._canvas = this._container.appendChild(document.createElement('div')));
    canvas.className = 'canvas';
    this._map = new MapView(canvas, {
      ...this._options, library,
      onReady: () => this._show(),
      onIdle: () => this._container.setAttribute('data-idle', ''),
      onFailed: () => this._fail(),
      onLost: () => this._lose(),
    });
    this._map.setLines(...this._lines);
    this._map.setTravelled(this._along);
    this._map.keepInView(this._places, true);
  }

  /** The map is drawn: show it in place of the sketch. */
  _show() {
    clearTimeout(this._timer);
    this._attempt = 0;
    this._swap(/** @type {MapView} */ (this._map));
    this._tracker.dataset.map = 'map';
  }

  /** The WebGL context is lost, for instance to another tab. The browser may give it back. */
  _lose() {
    this._swap(this._sketch);
    this._settle();
    clearTimeout(this._timer);
    this._timer = setTimeout(() => this._fail(), RESTORED_WITHIN);
  }

  _fail() {
    this._swap(this._sketch);
    this._close();
    this._settle();
    if (!this._removed) this._retryLater();
  }

  _retryLater() {
    const delay = RETRY_DELAYS[Math.min(this._attempt++, RETRY_DELAYS.length - 1)] * (0.5 + Math.random());
    this._timer = setTimeout(() => this._open(), delay);
  }

  _close() {
    clearTimeout(this._timer);
    this._map?.remove();
    this._canvas?.remove();
    this._map = this._canvas = null;
  }

  /** Give lines and marks to another view. @param {SketchView|MapView} view */
  _swap(view) {
    if (view === this._shown) return;
    this._shown.release();
    this._shown = view;
    this._sketch.hide(view !== this._sketch);
    this._canvas?.toggleAttribute('data-shown', view === this._map);
    view.setLines(...this._lines);
    if (this._destination) view.setDestination(...this._destination);
    if (this._pickup) view.setPickup(...this._pickup);
    if (this._courier) view.setCourier(...this._courier);
    view.setTravelled(this._along);
    view.keepInView(this._places, true);
  }

  /** There is only the sketch, for now. */
  _settle() {
    this._tracker.dataset.map = 'sketch';
    this._container.setAttribute('data-idle', '');
  }
}
