/** PlaceMap: the places of a form or a list on a map, and one pin that is dragged or moved with the arrow keys. */

import { el } from '../../drive/element.js';
import { canDraw, loadLibrary } from '../../map.js';

/** @typedef {import('../../map.js').Library} Library */
/** @typedef {import('../../map.js').MapLibreMap} MapLibreMap */
/** @typedef {import('../../map.js').Marker} Marker */
/** @typedef {{lat: number, lon: number}} Place */
/** @typedef {{id: number, lat: number, lon: number, kind: string}} Dot kind: `pickup`, `ready`, `check`, `choice` or `created` */
/** @typedef {{onMove: (place: Place) => void, onSelect?: (id: number) => void}} Hooks */

const PLACES = 'places';
const STEP = 10; // pixels that an arrow key moves the pin; with Shift one
/** @type {Readonly<Record<string, [number, number]>>} */
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class PlaceMap {
  /** @param {import('../board.js').Board} board @param {Hooks} hooks */
  constructor(board, hooks) {
    this._board = board;
    this._hooks = hooks;
    this._canvas = el('div.canvas');
    this._notice = el('p.notice', { hidden: true }, board.words.say('map.none'));
    this.element = el('div.place-map', {}, this._canvas, this._notice);
    /** @type {MapLibreMap|null} */ this._map = null;
    /** @type {Library|null} */ this._library = null;
    /** @type {Marker|null} */ this._pin = null;
    /** @type {readonly Dot[]} */ this._dots = [];
    /** @type {{place: Place, label: string}|null} */ this._pinned = null;
    /** @type {readonly Place[]} */ this._looked = [];
    this._removed = false;
    this._open();
  }

  remove() {
    this._removed = true;
    this._map?.remove();
  }

  /** @param {readonly Dot[]} dots */
  setDots(dots) {
    this._dots = dots;
    const source = /** @type {import('../../../vendor/maplibre-gl/maplibre-gl.mjs').GeoJSONSource|undefined} */ (this._map?.getSource(PLACES));
    source?.setData(this._data());
  }

  /** Show the pin that can be moved. @param {Place|null} place @param {string} [label] whose place it is */
  setPin(place, label = '') {
    this._pinned = place && { place, label };
    if (!this._map || !this._library) return;
    if (!place) {
      this._pin?.remove();
      this._pin = null;
      return;
    }
    this._pin ??= this._newPin(this._library);
    this._pin.getElement().setAttribute('aria-label', this._board.words.say('pin.label', { place: label }));
    this._pin.setLngLat([place.lon, place.lat]).addTo(this._map);
  }

  focusPin() {
    this._pin?.getElement().focus();
  }

  /** What the map shows the middle of. @returns {Place|null} */
  get middle() {
    const at = this._map?.getCenter();
    return at ? { lat: at.lat, lon: at.lng } : null;
  }

  /** Have all of these in view. @param {readonly Place[]} places */
  look(places) {
    this._looked = places;
    if (!this._map || !this._library || !places.length) return;
    const bounds = new this._library.LngLatBounds();
    for (const { lat, lon } of places) bounds.extend([lon, lat]);
    this._map.fitBounds(bounds, { padding: 48, maxZoom: 16, animate: false });
  }

  async _open() {
    try {
      const library = await loadLibrary(0);
      if (!(await canDraw())) throw new Error('no WebGL 2');
      if (!this._removed) this._begin(library);
    } catch (error) {
      console.warn('The map could not be loaded:', error);
      this._notice.hidden = false;
    }
  }

  /** @param {Library} library */
  _begin(library) {
    const { words, service } = this._board;
    this._library = library;
    const map = new library.Map({
      container: this._canvas, style: this._style(), center: [0, 30], zoom: 1.5, maxZoom: 19, attributionControl: false, fadeDuration: 0,
      pitchWithRotate: false, dragRotate: false, touchPitch: false,
      transformRequest: (url) => ({ url: new URL(url, service).href }), locale: { 'Map.Title': words.say('map.title') },
    });
    this._map = map;
    map.touchZoomRotate.disableRotation();
    map.addControl(new library.AttributionControl({ compact: true }), 'bottom-right');
    map.addControl(new library.NavigationControl({ showCompass: false }), 'bottom-right');
    map.on('style.load', () => this._addDots());
    map.on('error', ({ error }) => this._failed(error));
    map.on('click', PLACES, ({ features }) => this._hooks.onSelect?.(features?.[0]?.properties.id));
    map.on('idle', () => this.element.setAttribute('data-idle', ''));
    if (this._pinned) this.setPin(this._pinned.place, this._pinned.label);
    if (this._looked.length) this.look(this._looked);
    else this._lookAtArea();
  }

  async _lookAtArea() {
    const area = await this._board.api.get('v1/map').catch(() => null);
    if (area && !this._looked.length && !this._removed) this._map?.fitBounds(area.bbox, { animate: false });
  }

  _style() {
    if (document.body.dataset.map !== 'wait') return plainStyle(this._colour('--ground'));
    return `${this._board.service}/map/style.json?theme=${this._board.dark ? 'dark' : 'light'}`;
  }

  /** @param {{message: string}} error */
  _failed(error) {
    console.warn('The map could not load something:', error.message);
    if (this._map && !this._map.isStyleLoaded() && !this._map.getLayer('ground')) this._map.setStyle(plainStyle(this._colour('--ground')));
  }

  _addDots() {
    const map = this._map;
    if (!map || map.getSource(PLACES)) return;
    map.addSource(PLACES, { type: 'geojson', data: this._data() });
    const colour = /** @type {any} */ (['match', ['get', 'kind'], 'pickup', this._colour('--text'), 'check', this._colour('--bad'),
      'choice', this._colour('--bad'), 'created', this._colour('--good'), this._colour('--accent')]);
    map.addLayer({ id: PLACES, type: 'circle', source: PLACES, paint: {
      'circle-radius': 6, 'circle-color': colour, 'circle-stroke-color': this._colour('--surface'), 'circle-stroke-width': 2 } });
  }

  /** @returns {import('geojson').FeatureCollection} */
  _data() {
    return { type: 'FeatureCollection', features: this._dots.map(({ id, lat, lon, kind }) => ({
      type: 'Feature', geometry: { type: 'Point', coordinates: [lon, lat] }, properties: { id, kind } })) };
  }

  /** @param {Library} library @returns {Marker} */
  _newPin(library) {
    const element = el('button.map-pin', { type: 'button', onkeydown: (/** @type {KeyboardEvent} */ event) => this._key(event) });
    const pin = new library.Marker({ element, draggable: true, anchor: 'bottom' });
    pin.on('dragend', () => this._moved(pin));
    return pin;
  }

  /** @param {KeyboardEvent} event */
  _key(event) {
    const [x, y] = ARROWS[event.key] ?? [0, 0];
    if (!this._pin || !this._map || (!x && !y)) return;
    event.preventDefault();
    event.stopPropagation(); // the map would move as well
    const step = event.shiftKey ? 1 : STEP;
    const at = this._map.project(this._pin.getLngLat());
    this._pin.setLngLat(this._map.unproject([at.x + x * step, at.y + y * step]));
    this._moved(this._pin);
  }

  /** @param {Marker} pin */
  _moved(pin) {
    const { lat, lng } = pin.getLngLat();
    const place = { lat: Math.round(lat * 1e6) / 1e6, lon: Math.round(lng * 1e6) / 1e6 };
    if (this._pinned) this._pinned.place = place;
    this._hooks.onMove(place);
  }

  /** @param {string} name @returns {string} a colour of the page */
  _colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim() || '#888';
  }
}

/** @param {string} colour @returns {import('../../../vendor/maplibre-gl/maplibre-gl.mjs').StyleSpecification} */
function plainStyle(colour) {
  return { version: 8, sources: {}, layers: [{ id: 'ground', type: 'background', paint: { 'background-color': colour } }] };
}
