/** MapView: the map with courier, destination and route. Independent of orders and streams. */

import { edgeTowards, linksBetween } from './links.js';
import { distance } from './path.js';

/** @typedef {import('./path.js').LonLat} LonLat */
/** @typedef {typeof import('../vendor/maplibre-gl/maplibre-gl.mjs')} Library */
/** @typedef {import('../vendor/maplibre-gl/maplibre-gl.mjs').Map} MapLibreMap */
/** @typedef {import('../vendor/maplibre-gl/maplibre-gl.mjs').Marker} Marker */
/** @typedef {import('../vendor/maplibre-gl/maplibre-gl.mjs').PaddingOptions} PaddingOptions */
/** @typedef {import('../vendor/maplibre-gl/maplibre-gl.mjs').ExpressionSpecification} ExpressionSpecification */
/** @typedef {import('../vendor/maplibre-gl/maplibre-gl.mjs').ErrorEvent & {sourceId?: string}} MapError */

const REDRAW_AFTER = 4; // metres travelled between redraws of the line
const MIN_ZOOM = 3; // a courier in another country; the tiles begin at a higher level, below is plain ground
const MAX_ZOOM = 17;
const ROUTE = 'route';
const TRAIL = 'trail';
const DIRECT = 'direct';
const LAST = 'last';
const STEPS = /** @type {Record<string, [number, number]>} */ ({ // pixels that an arrow key moves the pin
  ArrowLeft: [-6, 0], ArrowRight: [6, 0], ArrowUp: [0, -6], ArrowDown: [0, 6],
});
const BELOW_LABELS = 'labels-begin';

/**
 * Fetch the map library. A browser may remember that a module failed, so each attempt has another folder, which the
 * service ignores: the library's modules find each other beside themselves.
 * @param {number} attempt from 0 @returns {Promise<Library>}
 */
export function loadLibrary(attempt) {
  const address = new URL('../vendor/maplibre-gl/maplibre-gl.mjs', import.meta.url);
  if (attempt) address.pathname = address.pathname.replace(/\bstatic\/(?:[^/]+\/)?(?=vendor\/)/, `static/attempt-${attempt}/`);
  return import(address.href);
}

/** Whether this browser has WebGL 2 and the page's policy lets the map's worker start. */
export async function canDraw() {
  const context = document.createElement('canvas').getContext('webgl2');
  context?.getExtension('WEBGL_lose_context')?.loseContext();
  return Boolean(context) && (new URL(import.meta.url).origin === location.origin || (await blobWorkers()));
}

/** On another site the library starts its worker from a blob, which that site's policy may forbid. */
function blobWorkers() {
  const probe = new URL('../src/worker-probe.js', import.meta.url).href;
  const address = URL.createObjectURL(new Blob([`import ${JSON.stringify(probe)}`], { type: 'text/javascript' }));
  return new Promise((resolve) => {
    const worker = new Worker(address, { type: 'module' });
    worker.onmessage = () => (worker.terminate(), resolve(true));
    worker.onerror = () => resolve(false);
  })
    .catch(() => false)
    .finally(() => URL.revokeObjectURL(address));
}

export class MapView {
  /**
   * @param {HTMLElement} container
   * @param {{library: Library, words: import('./translations.js').Translations, service: string, dark: boolean, reducedMotion: boolean,
   *   center: LonLat, padding: () => Required<PaddingOptions>, edge: HTMLElement, onControl: (byUser: boolean) => void,
   *   onReady: () => void, onIdle: () => void, onFailed: () => void, onLost: () => void}} options
   *   service: the base URL of style, tiles and fonts; reducedMotion: no animations; edge: the arrow to a courier who
   *   is outside of the picture; onControl: the user took control of the map, or returned it; onReady: the map is
   *   drawn, also again after its WebGL context was lost and restored; onIdle: nothing more is to be drawn; onFailed:
   *   there is no style; onLost: the context is lost
   */
  constructor(container, options) {
    const { library, words, service, dark, reducedMotion, center, padding, edge, onControl } = options;
    this._container = container;
    this._library = library;
    this._service = service;
    this._reducedMotion = reducedMotion;
    this._padding = padding;
    this._edge = edge;
    this._onControl = onControl;
    this._byUser = false;
    this._missing = false;
    this._courierKey = ''; // the marker's place and heading, as text
    /** @type {Marker|null} */ this._destination = null;
    this._onPinMove = () => {};
    this._onPinKey = (/** @type {KeyboardEvent} */ event) => this._movePinBy(event);
    /** @type {Marker|null} */ this._pickup = null;
    /** @type {Marker|null} */ this._courier = null;
    this._drawn = -Infinity;
    /** @type {LonLat|null} */ this._at = null; // of the courier
    /** @type {LonLat|null} */ this._linked = null; // the courier's place at the end of the straight line
    /** @type {LonLat[]} */ this._route = [];
    /** @type {LonLat[]} */ this._trail = [];
    this._along = 0;
    this._length = 0;
    /** @type {LonLat[]} */ this._inView = [];
    /** @type {MapLibreMap} */
    this._map = new library.Map({
      container, style: this._styleUrl(dark), center, zoom: 15, minZoom: MIN_ZOOM, maxZoom: 19, attributionControl: false,
      pitchWithRotate: false, dragRotate: false, touchPitch: false, fadeDuration: reducedMotion ? 0 : 200,
      transformRequest: (url) => ({ url: new URL(url, service).href }),
      locale: { 'Map.Title': words.say('map.canvas') },
    });
    this._map.touchZoomRotate.disableRotation();
    this._map.keyboard.disableRotation();
    this._map.addControl(new library.AttributionControl({ compact: false }), 'bottom-right');
    this._map.addControl(new library.NavigationControl({ showCompass: false }), 'bottom-right');
    this._map.on('style.load', () => this._addLines());
    for (const gesture of /** @type {const} */ (['movestart', 'zoomstart'])) {
      this._map.on(gesture, (event) => event.originalEvent && this._setControl(true));
    }
    this._map.on('move', () => this._pointToCourier());
    this._report(options);
  }

  /** @param {{onReady: () => void, onIdle: () => void, onFailed: () => void, onLost: () => void}} options */
  _report({ onReady, onIdle, onFailed, onLost }) {
    let hasStyle = false;
    this._map.once('style.load', () => (hasStyle = true));
    this._map.on('error', (event) => {
      const { error, sourceId } = /** @type {MapError} */ (event);
      this._missing ||= sourceId === 'map';
      console.warn('The map could not load something:', error.message);
      if (!hasStyle) queueMicrotask(onFailed);
    });
    this._map.once('load', onReady);
    this._map.on('idle', onIdle);
    this._map.on('webglcontextlost', onLost);
    this._map.on('webglcontextrestored', () => this._map.once('idle', onReady));
  }

  /** Fetch tiles again that failed while the device was offline. */
  retry() {
    if (this._missing) this._map.refreshTiles('map');
    this._missing = false;
  }

  /** Take the marks off the map. */
  release() {
    this._destination?.remove();
    this._pickup?.remove();
    this._courier?.remove();
    this._courierKey = '';
    this._edge.hidden = true;
  }

  /** Free the WebGL context, the workers and the markers. */
  remove() {
    this._map.remove();
  }

  /** @param {boolean} dark */
  _styleUrl(dark) {
    return `${this._service}/map/style.json?theme=${dark ? 'dark' : 'light'}`;
  }

  /** @param {boolean} dark */
  setDark(dark) {
    this._map.setStyle(this._styleUrl(dark), { diff: false });
  }

  /** @param {LonLat} at @param {HTMLElement} element */
  setDestination(at, element) {
    this._destination ??= new this._library.Marker({ element, anchor: 'bottom', subpixelPositioning: true });
    this._destination.setLngLat(at).addTo(this._map);
    element.hidden = false;
    this._drawLinks();
  }

  /**
   * Let the user move the destination's pin, by dragging or with the arrow keys.
   * @param {LonLat} at @param {(at: LonLat) => void} onMove
   */
  movePin(at, onMove) {
    const pin = this._destination;
    if (!pin) return;
    this._onPinMove = () => onMove(/** @type {LonLat} */ (pin.getLngLat().toArray()));
    this._setControl(true);
    pin.setDraggable(true);
    pin.on('drag', this._onPinMove);
    pin.getElement().addEventListener('keydown', this._onPinKey);
    this._map.jumpTo({ center: at, zoom: Math.max(17, this._map.getZoom()), padding: this._padding() });
  }

  /** @param {LonLat} at */
  putPin(at) {
    this._destination?.setLngLat(at);
    this._map.easeTo({ center: at, animate: !this._reducedMotion });
    this._onPinMove();
  }

  /** End `movePin`. @param {LonLat} at where the pin belongs */
  fixPin(at) {
    const pin = this._destination;
    if (!pin) return;
    pin.setDraggable(false);
    pin.off('drag', this._onPinMove);
    pin.getElement().removeEventListener('keydown', this._onPinKey);
    pin.setLngLat(at);
    this.recentre();
  }

  /** @param {KeyboardEvent} event */
  _movePinBy(event) {
    const step = STEPS[event.key];
    if (!step || !this._destination) return;
    event.preventDefault();
    event.stopPropagation(); // the map would move too
    const { x, y } = this._map.project(this._destination.getLngLat());
    const far = event.shiftKey ? 5 : 1;
    this._destination.setLngLat(this._map.unproject([x + step[0] * far, y + step[1] * far]));
    this._onPinMove();
  }

  /** @param {LonLat|null} at null: show none @param {HTMLElement} element */
  setPickup(at, element) {
    element.hidden = !at;
    this._pickup ??= new this._library.Marker({ element, subpixelPositioning: true });
    if (at) this._pickup.setLngLat(at).addTo(this._map);
    else this._pickup.remove();
  }

  /**
   * @param {LonLat|null} at
   * @param {number} heading degrees
   * @param {HTMLElement} element
   */
  setCourier(at, heading, element) {
    const key = at ? `${at[0].toFixed(7)} ${at[1].toFixed(7)} ${heading.toFixed(1)}` : '';
    if (key === this._courierKey) return; // most frames change nothing
    this._courier ??= new this._library.Marker({
      element, rotationAlignment: 'map', pitchAlignment: 'map', subpixelPositioning: true,
    });
    if (at) this._courier.setLngLat(at).setRotation(heading);
    if (at && !this._courierKey) this._courier.addTo(this._map);
    element.hidden = !at;
    if (!at) this._courier.remove();
    this._courierKey = key;
    this._at = at;
    if (!at || !this._linked || distance(at, this._linked) > REDRAW_AFTER) this._drawLinks();
    this._pointToCourier();
  }

  /** Draw the straight lines where there is no route. */
  _drawLinks() {
    this._linked = this._at;
    const door = this._destination?.getLngLat().toArray();
    const links = linksBetween(this._route, this._at, /** @type {LonLat} */ (door ?? [0, 0]));
    this._source(DIRECT)?.setData(line(door ? links.direct : []));
    this._source(LAST)?.setData(line(door ? links.last : []));
  }

  /** Show an arrow at the edge while the courier is outside of the picture. */
  _pointToCourier() {
    const { top = 0, right = 0, bottom = 0, left = 0 } = this._padding();
    const { clientWidth, clientHeight } = this._map.getContainer();
    const box = { left: left - 24, top: top - 24, right: clientWidth - right + 24, bottom: clientHeight - bottom + 24 };
    const edge = this._at && edgeTowards(this._map.project(this._at), box);
    this._edge.hidden = !edge;
    if (edge) this._edge.style.transform = `translate(${edge.x}px, ${edge.y}px) rotate(${edge.angle}deg)`;
  }

  /** @param {LonLat[]} route @param {number} length metres @param {LonLat[]} trail the path before the route */
  setLines(route, length, trail) {
    this._route = route;
    this._length = length;
    this._trail = trail;
    this._drawn = -Infinity;
    this._source(ROUTE)?.setData(line(route));
    this._source(TRAIL)?.setData(line(trail));
    this._drawLinks();
  }

  /** @param {number} along metres of the route behind the courier */
  setTravelled(along) {
    this._along = along;
    if (Math.abs(along - this._drawn) < REDRAW_AFTER || !this._map.getLayer(ROUTE)) return;
    this._drawn = along;
    this._map.setPaintProperty(ROUTE, 'line-gradient', this._gradient(this._length ? along / this._length : 0));
  }

  /** Keep these places in view while the user has not moved the map. @param {LonLat[]} places @param {boolean} [now] */
  keepInView(places, now = false) {
    this._inView = places;
    if (!this._byUser && places.length && (now || !this._fits())) this._fit(!now);
  }

  /** Follow the courier again. */
  recentre() {
    this._setControl(false);
    this._fit(true);
  }

  /** @param {boolean} byUser */
  _setControl(byUser) {
    if (byUser === this._byUser) return;
    this._byUser = byUser;
    this._onControl(byUser);
  }

  /** Whether all places are within the padding, at no much smaller scale than necessary. */
  _fits() {
    const { top = 0, right = 0, bottom = 0, left = 0 } = this._padding();
    const { clientWidth, clientHeight } = this._map.getContainer();
    const within = this._inView.map((place) => this._map.project(place)).every(
      ({ x, y }) => x >= left - 8 && x <= clientWidth - right + 8 && y >= top - 8 && y <= clientHeight - bottom + 8,
    );
    const wanted = this._camera()?.zoom ?? this._map.getZoom();
    return within && wanted - this._map.getZoom() < 0.8;
  }

  _camera() {
    const bounds = this._inView.reduce((box, place) => box.extend(place), new this._library.LngLatBounds());
    return this._map.cameraForBounds(bounds, { padding: this._padding(), maxZoom: MAX_ZOOM });
  }

  /** @param {boolean} animate */
  _fit(animate) {
    const camera = this._inView.length ? this._camera() : undefined;
    if (!camera) return;
    if (animate && !this._reducedMotion) this._map.easeTo({ ...camera, duration: 900 });
    else this._map.jumpTo(camera);
  }

  _addLines() {
    const round = /** @type {const} */ ({ 'line-cap': 'round', 'line-join': 'round' });
    const before = this._map.getLayer(BELOW_LABELS) ? BELOW_LABELS : undefined;
    this._map.addSource(TRAIL, { type: 'geojson', data: line(this._trail) });
    this._map.addSource(ROUTE, { type: 'geojson', data: line(this._route), lineMetrics: true, tolerance: 0.2 });
    const casing = { 'line-color': this._colour('--route-casing'), 'line-width': width(3) };
    this._map.addLayer({ id: 'trail-casing', type: 'line', source: TRAIL, layout: round, paint: casing }, before);
    this._map.addLayer({ id: 'route-casing', type: 'line', source: ROUTE, layout: round, paint: casing }, before);
    const behind = { 'line-color': this._colour('--route-travelled'), 'line-width': width(0) };
    this._map.addLayer({ id: TRAIL, type: 'line', source: TRAIL, layout: round, paint: behind }, before);
    const ahead = { 'line-gradient': this._gradient(0), 'line-width': width(0) };
    this._map.addLayer({ id: ROUTE, type: 'line', source: ROUTE, layout: round, paint: ahead }, before);
    const straight = { 'line-color': this._colour('--route-ahead'), 'line-width': width(-1) };
    for (const [id, dashes] of /** @type {const} */ ([[DIRECT, [2, 2]], [LAST, [0.01, 2]]])) {
      this._map.addSource(id, { type: 'geojson', data: line([]) });
      this._map.addLayer({ id, type: 'line', source: id, layout: round, paint: { ...straight, 'line-dasharray': [...dashes] } }, before);
    }
    this._drawLinks();
    this._drawn = -Infinity;
    this.setTravelled(this._along);
  }

  /** @param {number} part 0..1 of the line that is travelled @returns {ExpressionSpecification} */
  _gradient(part) {
    const behind = this._colour('--route-travelled');
    const ahead = this._colour('--route-ahead');
    if (part <= 0) return ['step', ['line-progress'], ahead, 1, ahead];
    return ['step', ['line-progress'], behind, Math.min(1, part), ahead];
  }

  /** @param {string} name a custom property of the page's style sheet */
  _colour(name) {
    return getComputedStyle(this._container).getPropertyValue(name).trim();
  }

  /** @param {string} name @returns {import('../vendor/maplibre-gl/maplibre-gl.mjs').GeoJSONSource|undefined} */
  _source(name) {
    return /** @type {import('../vendor/maplibre-gl/maplibre-gl.mjs').GeoJSONSource|undefined} */ (this._map.getSource(name));
  }
}

/** @param {LonLat[]} coordinates @returns {import('geojson').Feature} */
function line(coordinates) {
  const places = coordinates.length > 1 ? coordinates : [];
  return { type: 'Feature', properties: {}, geometry: { type: 'LineString', coordinates: places } };
}

/** @param {number} more pixels @returns {ExpressionSpecification} */
function width(more) {
  return ['interpolate', ['linear'], ['zoom'], 12, 3 + more, 15, 5 + more, 17, 7 + more, 19, 10 + more];
}
