/** Viewport: the part of the world that the map shows, as the service takes it. Pure. */

/** @typedef {[number, number, number, number]} Box west, south, east, north in degrees */

const MARGIN = 0.25; // of the map's width and height: drivers just outside are right when the map moves
const POLE = 90;

/**
 * @param {Box} bounds of the map; its longitudes may lie beyond 180, where the map shows the world again
 * @returns {Box|null} null: everywhere
 */
export function viewportOf([west, south, east, north]) {
  const [width, height] = [(east - west) * (1 + 2 * MARGIN), (north - south) * MARGIN];
  if (width >= 360) return null;
  const from = wrapped(west - (east - west) * MARGIN);
  return [round(from), round(Math.max(-POLE, south - height)), round(wrapped(from + width)), round(Math.min(POLE, north + height))];
}

/** @param {number} value degrees @returns {number} to the metre */
function round(value) {
  return Math.round(value * 1e5) / 1e5;
}

/** @param {number} lon degrees, of any turn @returns {number} -180..180 */
export function wrapped(lon) {
  return ((((lon + 180) % 360) + 360) % 360) - 180;
}

/** The smallest box around places. @param {Iterable<readonly [number, number]>} places longitude, latitude @returns {Box|null} */
export function boxOf(places) {
  let box = /** @type {Box|null} */ (null);
  for (const [lon, lat] of places) {
    if (!box) box = [lon, lat, lon, lat];
    else box = [Math.min(box[0], lon), Math.min(box[1], lat), Math.max(box[2], lon), Math.max(box[3], lat)];
  }
  return box;
}
