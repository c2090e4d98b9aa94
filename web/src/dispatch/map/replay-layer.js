/** ReplayLayer: an order's way on the map, where it was at a time, and the fixes that were refused. */

import { el } from '../../drive/element.js';

/** @typedef {import('../../map.js').MapLibreMap} MapLibreMap */
/** @typedef {import('../../map.js').Library} Library */

const SOURCE = 'replay';

export class ReplayLayer {
  /** @param {(name: string) => string} colour of the page's style sheet */
  constructor(colour) {
    this._colour = colour;
    /** @type {[number, number][][]} */ this._lines = [];
    /** @type {[number, number][]} */ this._rejected = [];
    /** @type {MapLibreMap|null} */ this._map = null;
    /** @type {import('../../map.js').Marker|null} */ this._marker = null;
  }

  /** Also after the map's style has changed. @param {MapLibreMap} map @param {Library} library */
  addTo(map, library) {
    this._map = map;
    this._marker ??= new library.Marker({ element: el('div.replay-mark') });
    map.addSource(SOURCE, { type: 'geojson', data: this._data() });
    /** @type {Pick<import('../../../vendor/maplibre-gl/maplibre-gl.mjs').LineLayerSpecification, 'type'|'source'|'filter'|'layout'>} */
    const line = { type: 'line', source: SOURCE, filter: ['==', ['geometry-type'], 'LineString'], layout: { 'line-cap': 'round', 'line-join': 'round' } };
    map.addLayer({ ...line, id: 'replay-casing', paint: { 'line-color': this._colour('--route-casing'), 'line-width': 7 } }, 'selected');
    map.addLayer({ ...line, id: SOURCE, paint: { 'line-color': this._colour('--route-ahead'), 'line-width': 4 } }, 'selected');
    map.addLayer({
      id: 'replay-rejected', type: 'circle', source: SOURCE, filter: ['==', ['geometry-type'], 'Point'],
      paint: { 'circle-radius': 4, 'circle-color': this._colour('--surface'), 'circle-stroke-color': this._colour('--bad'), 'circle-stroke-width': 2 },
    });
  }

  /** @param {[number, number][][]} lines @param {[number, number][]} rejected */
  show(lines, rejected) {
    this._lines = lines;
    this._rejected = rejected;
    const source = /** @type {import('../../../vendor/maplibre-gl/maplibre-gl.mjs').GeoJSONSource|undefined} */ (this._map?.getSource(SOURCE));
    source?.setData(this._data());
  }

  /** @param {[number, number]} place */
  move(place) {
    if (this._map) this._marker?.setLngLat(place).addTo(this._map);
  }

  clear() {
    this._marker?.remove();
    this.show([], []);
  }

  /** @returns {import('geojson').FeatureCollection} */
  _data() {
    const lines = this._lines.filter((line) => line.length > 1).map((coordinates) => feature({ type: 'LineString', coordinates }));
    return { type: 'FeatureCollection', features: [...lines, ...this._rejected.map((coordinates) => feature({ type: 'Point', coordinates }))] };
  }
}

/** @param {import('geojson').Geometry} geometry @returns {import('geojson').Feature} */
function feature(geometry) {
  return { type: 'Feature', properties: {}, geometry };
}
