/** MapView: the map with courier, destination and route; knows nothing of orders or streams. */

import * as maplibre from '../vendor/maplibre-gl/maplibre-gl.mjs';

/** @typedef {import('./path.js').LonLat} LonLat */

const REDRAW_AFTER = 4; // metres travelled between two drawings of the line
const CLOSEST = 17; // zoom
const ROUTE = 'route';
const TRAIL = 'trail';
const BELOW_LABELS = 'labels-begin';

/** Whether this browser draws it: WebGL2 is there, and the worker may start on the page that shows it. */
export async function canDraw() {
  const context = document.createElement('canvas').getContext('webgl2');
  context?.getExtension('WEBGL_lose_context')?.loseContext();
  return Boolean(context) && (new URL(import.meta.url).origin === location.origin || (await blobWorkers()));
}

/** The library starts its worker by a blob where its files come from another site; a page may forbid either. */
function blobWorkers() {
  const probe = new URL('./worker-probe.js', import.meta.url).href;
  const address = URL.createObjectURL(new Blob([`import ${JSON.stringify(probe)}`], { type: 'text/javascript' }));
  return new Promise((tell) => {
    const worker = new Worker(address, { type: 'module' });
    worker.onmessage = () => (worker.terminate(), tell(true));
    worker.onerror = () => tell(false);
  })
    .catch(() => false)
    .finally(() => URL.revokeObjectURL(address));
}

export class MapView {
  /**
   * @param {HTMLElement} container
   * @param {{service: string, dark: boolean, still: boolean, center: LonLat,
   *   padding: () => maplibre.PaddingOptions, onTaken: (taken: boolean) => void, onMissing: () => void}} options
   *   service: the origin of style, tiles and fonts; still: no animations; onTaken: the user moved the map, or
   *   gave it back; onMissing: the service answers that it has no map
   */
  constructor(container, { service, dark, still, center, padding, onTaken, onMissing }) {
    this._container = container;
    this._service = service;
    this._still = still;
    this._padding = padding;
    this._onTaken = onTaken;
    this._taken = false;
    this._missing = false;
    this._courierKey = ''; // where the marker stands, as text
    this._drawn = -Infinity;
    /** @type {LonLat[]} */ this._route = [];
    /** @type {LonLat[]} */ this._trail = [];
    this._along = 0;
    this._length = 0;
    /** @type {LonLat[]} */ this._inView = [];
    this._map = new maplibre.Map({
      container, style: this._styleUrl(dark), center, zoom: 15, minZoom: 10, maxZoom: 19, attributionControl: false,
      pitchWithRotate: false, dragRotate: false, touchPitch: false, fadeDuration: still ? 0 : 200,
      transformRequest: (url) => ({ url: new URL(url, service).href }),
      locale: { 'Map.Title': 'Map with the courier and the destination' },
    });
    this._map.touchZoomRotate.disableRotation();
    this._map.keyboard.disableRotation();
    this._map.addControl(new maplibre.AttributionControl({ compact: false }), 'bottom-right');
    this._map.addControl(new maplibre.NavigationControl({ showCompass: false }), 'bottom-right');
    this._map.on('style.load', () => this._addLines());
    for (const gesture of /** @type {const} */ (['dragstart', 'zoomstart'])) {
      this._map.on(gesture, (event) => event.originalEvent && this._take(true));
    }
    let hasStyle = false;
    this._map.once('style.load', () => (hasStyle = true));
    this._map.on('error', ({ error, sourceId }) => {
      this._missing ||= sourceId === 'map';
      if (!hasStyle && /** @type {any} */ (error).status >= 400) onMissing();
      console.warn('The map misses something:', error.message);
    });
    this._map.on('load', () => container.setAttribute('data-ready', ''));
    this._map.on('idle', () => container.setAttribute('data-idle', ''));
  }

  /** Asks again for what could not be fetched while the network was away. */
  retry() {
    if (this._missing) this._map.refreshTiles('map');
    this._missing = false;
  }

  /** Gives back all it holds: the context, the workers, the markers. */
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
    this._destination ??= new maplibre.Marker({ element, anchor: 'bottom' });
    this._destination.setLngLat(at).addTo(this._map);
    element.hidden = false;
  }

  /**
   * @param {LonLat|null} at
   * @param {number} heading degrees
   * @param {HTMLElement} element
   */
  setCourier(at, heading, element) {
    const key = at ? `${at[0].toFixed(7)} ${at[1].toFixed(7)} ${heading.toFixed(1)}` : '';
    if (key === this._courierKey) return; // most of the time nobody moves
    this._courier ??= new maplibre.Marker({ element, rotationAlignment: 'map', pitchAlignment: 'map' });
    if (at) this._courier.setLngLat(at).setRotation(heading);
    if (at && !this._courierKey) this._courier.addTo(this._map);
    element.hidden = !at;
    if (!at) this._courier.remove();
    this._courierKey = key;
  }

  /** @param {LonLat[]} route @param {number} length metres @param {LonLat[]} trail the way before the route */
  setLines(route, length, trail) {
    this._route = route;
    this._length = length;
    this._trail = trail;
    this._drawn = -Infinity;
    this._source(ROUTE)?.setData(line(route));
    this._source(TRAIL)?.setData(line(trail));
  }

  /** @param {number} along metres of the route that lie behind the courier */
  setTravelled(along) {
    this._along = along;
    if (Math.abs(along - this._drawn) < REDRAW_AFTER || !this._map.getLayer(ROUTE)) return;
    this._drawn = along;
    this._map.setPaintProperty(ROUTE, 'line-gradient', this._gradient(this._length ? along / this._length : 0));
  }

  /** Keeps these places in view until the user takes the map. @param {LonLat[]} places @param {boolean} [now] */
  keepInView(places, now = false) {
    this._inView = places;
    if (!this._taken && places.length && (now || !this._fits())) this._fit(!now);
  }

  /** Gives the map back to the courier. */
  recentre() {
    this._take(false);
    this._fit(true);
  }

  /** @param {boolean} taken */
  _take(taken) {
    if (taken === this._taken) return;
    this._taken = taken;
    this._onTaken(taken);
  }

  /** Whether everything is within the padding, and not much smaller than it could be. */
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
    const bounds = this._inView.reduce((box, place) => box.extend(place), new maplibre.LngLatBounds());
    return this._map.cameraForBounds(bounds, { padding: this._padding(), maxZoom: CLOSEST });
  }

  /** @param {boolean} animate */
  _fit(animate) {
    const camera = this._inView.length ? this._camera() : undefined;
    if (!camera) return;
    if (animate && !this._still) this._map.easeTo({ ...camera, duration: 900 });
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
    this._drawn = -Infinity;
    this.setTravelled(this._along);
  }

  /** @param {number} part 0..1 of the line that is travelled @returns {any} */
  _gradient(part) {
    const behind = this._colour('--route-travelled');
    const ahead = this._colour('--route-ahead');
    if (part <= 0) return ['step', ['line-progress'], ahead, 1, ahead];
    return ['step', ['line-progress'], behind, Math.min(1, part), ahead];
  }

  /** @param {string} name of a custom property of the page's style */
  _colour(name) {
    return getComputedStyle(this._container).getPropertyValue(name).trim();
  }

  /** @param {string} name @returns {maplibre.GeoJSONSource|undefined} */
  _source(name) {
    return /** @type {maplibre.GeoJSONSource|undefined} */ (this._map.getSource(name));
  }
}

/** @param {LonLat[]} coordinates @returns {GeoJSON.Feature} */
function line(coordinates) {
  const places = coordinates.length > 1 ? coordinates : [];
  return { type: 'Feature', properties: {}, geometry: { type: 'LineString', coordinates: places } };
}

/** @param {number} more pixels @returns {any} */
function width(more) {
  return ['interpolate', ['linear'], ['zoom'], 12, 3 + more, 15, 5 + more, 17, 7 + more, 19, 10 + more];
}
