/** Features: drivers as points of the map; far out, those who are near each other are one point. Pure. */

import { dutyOf } from '../fleet/duties.js';

/** @typedef {import('../../../types/fleet.js').FleetDriver} FleetDriver */
/** @typedef {import('geojson').Feature<import('geojson').Point>} PointFeature */

export const CLUSTERS_BELOW = 12; // zoom level
const CELL = 56; // pixels: two circles of clusters do not overlap much
const MANY = 1_500; // drivers, more than can be told apart, or drawn by a processor at once
const CLOSE = 15; // zoom level from which even many are apart
const TILE = 512; // pixels of the world at zoom 0

/** @param {readonly FleetDriver[]} drivers @param {number} zoom @returns {PointFeature[]} */
export function features(drivers, zoom) {
  return clustersAt(zoom, drivers.length) ? clusters(drivers, zoom) : points(drivers);
}

/** Whether drivers near each other are one point. @param {number} zoom @param {number} count of drivers */
export function clustersAt(zoom, count) {
  return zoom < CLUSTERS_BELOW || (count > MANY && zoom < CLOSE);
}

/** @param {Iterable<FleetDriver>} drivers @returns {PointFeature[]} */
function points(drivers) {
  const found = [];
  for (const driver of drivers) if (driver.position) found.push(point(driver));
  return found;
}

/** @param {FleetDriver} driver with a position @returns {PointFeature} */
function point(driver) {
  const { lon, lat } = /** @type {{lon: number, lat: number}} */ (driver.position);
  return feature([lon, lat], { id: driver.id, duty: dutyOf(driver), name: driver.name, old: driver.freshness === 'lost' ? 1 : 0 });
}

/** @param {Iterable<FleetDriver>} drivers @param {number} zoom @returns {PointFeature[]} */
function clusters(drivers, zoom) {
  /** @type {Map<number, {drivers: FleetDriver[], lon: number, lat: number, silent: number}>} */ const cells = new Map();
  const across = Math.max(1, Math.floor((TILE * 2 ** Math.floor(zoom)) / CELL)); // cells around the world
  for (const driver of drivers) {
    if (!driver.position) continue;
    const { lon, lat } = driver.position;
    const key = Math.floor(xOf(lon) * across) * (across + 1) + Math.floor(yOf(lat) * across);
    let cell = cells.get(key);
    if (!cell) cells.set(key, cell = { drivers: [], lon: 0, lat: 0, silent: 0 });
    cell.drivers.push(driver);
    cell.lon += lon;
    cell.lat += lat;
    if (dutyOf(driver) === 'silent') cell.silent += 1;
  }
  return [...cells.values()].map(({ drivers: [first, ...others], lon, lat, silent }) => {
    const count = others.length + 1;
    return others.length ? feature([lon / count, lat / count], { count, silent }) : point(first);
  });
}

/** @param {number} lon @returns {number} 0..1 from west to east */
function xOf(lon) {
  return (lon + 180) / 360;
}

/** Web Mercator. @param {number} lat @returns {number} 0..1 from north to south */
function yOf(lat) {
  const sine = Math.min(0.9999, Math.max(-0.9999, Math.sin((lat * Math.PI) / 180)));
  return 0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI);
}

/** @param {[number, number]} coordinates @param {Record<string, string|number>} properties @returns {PointFeature} */
function feature(coordinates, properties) {
  return { type: 'Feature', properties, geometry: { type: 'Point', coordinates } };
}
