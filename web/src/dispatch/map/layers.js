/** Layers: how the map draws drivers, in the page's colours. Pure. */

export const DRIVERS = 'drivers';
const FONT = ['Inter SemiBold'];
const NAMES_FROM = 14; // zoom level from which there is room for names

/** @typedef {import('../../../vendor/maplibre-gl/maplibre-gl.mjs').LayerSpecification} LayerSpecification */

/**
 * @param {(name: string) => string} colour of the page's style sheet @param {boolean} hasFonts
 * @returns {LayerSpecification[]}
 */
export function driverLayers(colour, hasFonts) {
  const duty = /** @type {any} */ (['match', ['get', 'duty'], 'silent', colour('--bad'), 'busy', colour('--accent'),
    'free', colour('--good'), colour('--gone')]);
  const isCluster = /** @type {any} */ (['has', 'count']);
  const isDriver = /** @type {any} */ (['!', isCluster]);
  const rim = { 'circle-stroke-color': colour('--rim'), 'circle-stroke-width': 2 };
  const layers = /** @type {LayerSpecification[]} */ ([
    { id: 'selected', type: 'circle', source: DRIVERS, filter: ['==', ['get', 'id'], ''],
      paint: { 'circle-radius': 15, 'circle-color': colour('--accent'), 'circle-opacity': 0.3 } },
    { id: 'clusters', type: 'circle', source: DRIVERS, filter: isCluster, paint: { ...rim,
      'circle-color': ['case', ['>', ['get', 'silent'], 0], colour('--bad'), colour('--accent-text')],
      'circle-radius': ['step', ['get', 'count'], 14, 10, 17, 100, 21, 1000, 26] } },
    { id: DRIVERS, type: 'circle', source: DRIVERS, filter: isDriver, paint: { ...rim,
      'circle-color': duty, 'circle-opacity': ['case', ['==', ['get', 'old'], 1], 0.5, 1],
      'circle-radius': ['interpolate', ['linear'], ['zoom'], 10, 4, 14, 7, 17, 10] } },
  ]);
  if (hasFonts) layers.push(...textLayers(colour, isCluster, isDriver));
  return layers;
}

/** @param {(name: string) => string} colour @param {any} isCluster @param {any} isDriver @returns {LayerSpecification[]} */
function textLayers(colour, isCluster, isDriver) {
  return [
    { id: 'counts', type: 'symbol', source: DRIVERS, filter: isCluster,
      layout: { 'text-field': ['to-string', ['get', 'count']], 'text-font': FONT, 'text-size': 12, 'text-allow-overlap': true },
      paint: { 'text-color': colour('--on-cluster') } },
    { id: 'names', type: 'symbol', source: DRIVERS, filter: isDriver, minzoom: NAMES_FROM,
      layout: { 'text-field': ['get', 'name'], 'text-font': FONT, 'text-size': 12, 'text-anchor': 'top', 'text-offset': [0, 0.9], 'text-optional': true },
      paint: { 'text-color': colour('--text'), 'text-halo-color': colour('--surface'), 'text-halo-width': 1.5 } },
  ];
}
