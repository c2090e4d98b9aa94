/** BoardMap: all drivers on the map, and the places of the selected order. */

import { el } from '../../drive/element.js';
import { canDraw, loadLibrary } from '../../map.js';
import { acceptOrders } from '../list/drop-zone.js';
import { CLUSTERS_BELOW, clustersAt, features } from './features.js';
import { DRIVERS, driverLayers } from './layers.js';
import { ReplayLayer } from './replay-layer.js';
import { boxOf, viewportOf } from './viewport.js';

/** @typedef {import('../../map.js').Library} Library */
/** @typedef {import('../../map.js').MapLibreMap} MapLibreMap */
/** @typedef {import('../../map.js').Marker} Marker */
/** @typedef {import('../fleet/fleet.js').Fleet} Fleet */
/** @typedef {import('./viewport.js').Box} Box */
/** @typedef {{onSelect: (kind: 'driver', id: string) => void, onLook: (box: Box|null) => void,
 *   onDrop: (order: string, driver: string) => void}} Hooks */

const LOOK_AFTER = 250; // milliseconds after the map has moved
const RETRY_AFTER = 10_000; // milliseconds
const CLOSE = 15; // zoom level at which a driver is shown
const HIT = 8; // pixels around a click

export class BoardMap {
  /** @param {HTMLElement} container @param {import('../board.js').Board} board @param {Hooks} hooks */
  constructor(container, board, hooks) {
    this._container = container;
    this._board = board;
    this._hooks = hooks;
    this._dark = board.dark;
    /** @type {Fleet|null} */ this._fleet = null;
    /** @type {MapLibreMap|null} */ this._map = null;
    /** @type {Library|null} */ this._library = null;
    /** @type {Marker[]} */ this._places = [];
    /** @type {[number, number][]} */ this._wanted = [];
    this._selected = '';
    this._placed = false; // whether the map shows the fleet's area
    this._removed = false;
    this._attempt = 0;
    this._zoom = 0;
    /** @type {ReturnType<typeof setTimeout>|undefined} */ this._looking = undefined;
    this._canvas = el('div.canvas');
    this._notice = el('p.notice.no-map', { hidden: true }, board.words.say('map.none'));
    container.replaceChildren(this._canvas, this._notice);
    this._replay = new ReplayLayer((name) => this._colour(name));
    acceptOrders(this._canvas, (event) => this._driverAt(event), hooks.onDrop);
    this._open();
  }

  remove() {
    this._removed = true;
    clearTimeout(this._looking);
    this._map?.remove();
    this._container.replaceChildren();
  }

  resize() {
    this._map?.resize();
  }

  /** @param {boolean} dark */
  setDark(dark) {
    this._dark = dark;
    this._map?.setStyle(this._style());
  }

  /** @param {Fleet} fleet @param {import('../../../types/fleet.js').Change} change */
  update(fleet, change) {
    this._fleet = fleet;
    if (!this._placed && fleet.complete) this._placeFirst(fleet);
    if (change.whole || change.drivers.size) this._draw();
  }

  /** @param {import('../work.js').Selection} selection @param {Fleet} fleet */
  select({ kind, id }, fleet) {
    const order = kind === 'order' ? fleet.orders.get(id) : undefined;
    const driver = fleet.driver(kind === 'driver' ? id : order?.driver_id);
    this._selected = driver?.id ?? '';
    this._drawSelected();
    this._setPlaces(order ? [['pickup', order.pickup], ['dropoff', order.dropoff]] : []);
    const { position } = driver ?? {};
    const stops = order ? [order.pickup, order.dropoff] : [];
    this.lookAt([...stops, ...(position ? [position] : [])].map(({ lon, lat }) => [lon, lat]));
  }

  /** @param {[number, number][]} places longitude, latitude */
  lookAt(places) {
    const box = boxOf(places);
    this._wanted = places;
    if (!box || !this._map) return;
    this._placed = true;
    const [west, south, east, north] = box;
    const animate = !matchMedia('(prefers-reduced-motion: reduce)').matches;
    this._map.fitBounds([west, south, east, north], { padding: 60, maxZoom: CLOSE, animate });
  }

  async _open() {
    try {
      const library = await loadLibrary(this._attempt++);
      if (!(await canDraw())) throw new Error('no WebGL 2');
      if (!this._removed) this._begin(library);
    } catch (error) {
      console.warn('The map could not be loaded:', error);
      this._notice.hidden = false;
      if (!this._removed) setTimeout(() => this._removed || this._open(), RETRY_AFTER);
    }
  }

  /** @param {Library} library */
  _begin(library) {
    const { words, service } = this._board;
    this._library = library;
    this._notice.hidden = true;
    this._map = new library.Map({
      container: this._canvas, style: this._style(), center: [0, 30], zoom: 1.5, maxZoom: 19, attributionControl: false,
      pitchWithRotate: false, dragRotate: false, touchPitch: false, fadeDuration: 0,
      transformRequest: (url) => ({ url: new URL(url, service).href }), locale: { 'Map.Title': words.say('map.title') },
    });
    const map = this._map;
    map.touchZoomRotate.disableRotation();
    map.keyboard.disableRotation();
    map.addControl(new library.AttributionControl({ compact: false }), 'bottom-right');
    map.addControl(new library.NavigationControl({ showCompass: false }), 'bottom-right');
    map.on('style.load', () => this._addLayers());
    map.on('error', ({ error }) => this._failed(error));
    map.on('move', () => this._moved());
    map.on('click', ({ point }) => this._clicked(point));
    map.on('idle', () => this._container.setAttribute('data-idle', ''));
    if (this._wanted.length) this.lookAt(this._wanted);
    else if (this._fleet?.complete) this._placeFirst(this._fleet);
  }

  /** @param {{message: string}} error */
  _failed(error) {
    console.warn('The map could not load something:', error.message);
    if (this._map && !this._map.isStyleLoaded() && !this._map.getLayer('ground')) this._map.setStyle(this._plainStyle());
  }

  /** @returns {string|import('../../../vendor/maplibre-gl/maplibre-gl.mjs').StyleSpecification} */
  _style() {
    if (document.body.dataset.map !== 'wait') return this._plainStyle();
    return `${this._board.service}/map/style.json?theme=${this._dark ? 'dark' : 'light'}`;
  }

  /** Plain ground, if the service has no map: the drivers are there all the same. @returns {import('../../../vendor/maplibre-gl/maplibre-gl.mjs').StyleSpecification} */
  _plainStyle() {
    return { version: 8, sources: {}, layers: [{ id: 'ground', type: 'background', paint: { 'background-color': this._colour('--ground') } }] };
  }

  _addLayers() {
    const map = this._map;
    if (!map || map.getSource(DRIVERS)) return;
    map.addSource(DRIVERS, { type: 'geojson', data: this._data(), attribution: '' });
    const hasFonts = !map.getLayer('ground');
    for (const layer of driverLayers((name) => this._colour(name), hasFonts)) map.addLayer(layer);
    this._replay.addTo(map, /** @type {Library} */ (this._library));
    this._drawSelected();
  }

  /** @returns {import('geojson').FeatureCollection} */
  _data() {
    const zoom = (this._zoom = this._map?.getZoom() ?? 0);
    return { type: 'FeatureCollection', features: features([...(this._fleet?.drivers.values() ?? [])], zoom) };
  }

  _draw() {
    const source = /** @type {import('../../../vendor/maplibre-gl/maplibre-gl.mjs').GeoJSONSource|undefined} */ (this._map?.getSource(DRIVERS));
    source?.setData(this._data());
  }

  _drawSelected() {
    if (this._map?.getLayer('selected')) this._map.setFilter('selected', ['==', ['get', 'id'], this._selected || '-']);
  }

  /** Show everybody, or else the area of the map. @param {Fleet} fleet */
  async _placeFirst(fleet) {
    if (!this._map || this._placed) return;
    const places = /** @type {[number, number][]} */ ([]);
    for (const { position } of fleet.drivers.values()) if (position) places.push([position.lon, position.lat]);
    for (const { dropoff } of fleet.orders.values()) places.push([dropoff.lon, dropoff.lat]);
    if (places.length) return this.lookAt(places);
    this._placed = true;
    const area = await this._board.api.get('v1/map').catch(() => null);
    if (area && !this._wanted.length) this._map.fitBounds(area.bbox, { animate: false });
  }

  _moved() {
    const zoom = this._map?.getZoom() ?? 0;
    const count = this._fleet?.drivers.size ?? 0;
    if (Math.floor(zoom) !== Math.floor(this._zoom) && clustersAt(Math.min(zoom, this._zoom), count)) this._draw();
    clearTimeout(this._looking);
    this._looking = setTimeout(() => this._look(), LOOK_AFTER);
  }

  _look() {
    const bounds = this._map?.getBounds();
    if (bounds) this._hooks.onLook(viewportOf([bounds.getWest(), bounds.getSouth(), bounds.getEast(), bounds.getNorth()]));
  }

  /** @param {{x: number, y: number}} point in pixels */
  _clicked(point) {
    const found = this._at(point);
    if (!found || !this._map) return;
    if (found.properties.id) return this._hooks.onSelect('driver', found.properties.id);
    const center = /** @type {import('geojson').Point} */ (found.geometry).coordinates;
    this._map.easeTo({ center: [center[0], center[1]], zoom: Math.max(CLUSTERS_BELOW, this._map.getZoom() + 2) });
  }

  /** The driver or cluster at a point of the map. @param {{x: number, y: number}} point in pixels */
  _at({ x, y }) {
    if (!this._map?.getLayer(DRIVERS)) return null;
    const box = /** @type {[[number, number], [number, number]]} */ ([[x - HIT, y - HIT], [x + HIT, y + HIT]]);
    return this._map.queryRenderedFeatures(box, { layers: [DRIVERS, 'clusters'] })[0] ?? null;
  }

  /** The driver under a pointer. @param {DragEvent} event @returns {string} */
  _driverAt({ clientX, clientY }) {
    const { left, top } = this._canvas.getBoundingClientRect();
    return this._at({ x: clientX - left, y: clientY - top })?.properties.id ?? '';
  }

  /** @param {[number, number][][]} lines of the way @param {[number, number][]} rejected fixes */
  showReplay(lines, rejected) {
    this._replay.show(lines, rejected);
    this.lookAt(lines.flat());
  }

  /** @param {[number, number]} place where the order was */
  moveReplay(place) {
    this._replay.move(place);
  }

  clearReplay() {
    this._replay.clear();
  }

  /** @param {[string, {lat: number, lon: number}][]} places */
  _setPlaces(places) {
    for (const marker of this._places) marker.remove();
    const { _library: library, _map: map } = this;
    if (!library || !map) return;
    this._places = places.map(([kind, { lon, lat }]) => {
      const element = el('div.place', { 'data-kind': kind, role: 'img', 'aria-label': this._board.words.say(`fact.${kind}`) });
      return new library.Marker({ element, anchor: 'bottom' }).setLngLat([lon, lat]).addTo(map);
    });
  }

  /** @param {string} name a custom property of the page's style sheet */
  _colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }
}
