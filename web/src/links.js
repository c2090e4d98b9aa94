/** Links: the straight lines that the route does not cover, and the way to a courier outside the picture. Pure. */

import { distance } from './path.js';

/** @typedef {import('./path.js').LonLat} LonLat */
/** @typedef {{left: number, top: number, right: number, bottom: number}} Box pixels */

const SHORT = 8; // metres: a shorter link is not drawn

/**
 * Join what the route leaves apart.
 * @param {LonLat[]} route may be empty
 * @param {LonLat|null} courier
 * @param {LonLat} destination
 * @returns {{direct: LonLat[], last: LonLat[]}} direct: from the courier to the destination, where there is no route;
 *   last: from the route's end to the destination
 */
export function linksBetween(route, courier, destination) {
  const end = route.at(-1);
  if (end) return { direct: [], last: distance(end, destination) > SHORT ? [end, destination] : [] };
  return { direct: courier && distance(courier, destination) > SHORT ? [courier, destination] : [], last: [] };
}

/**
 * The place at the edge in the direction of a point outside of the box.
 * @param {{x: number, y: number}} point @param {Box} box
 * @returns {{x: number, y: number, angle: number}|null} angle: degrees clockwise from up; null: the point is inside
 */
export function edgeTowards({ x, y }, { left, top, right, bottom }) {
  if (x >= left && x <= right && y >= top && y <= bottom) return null;
  const [middleX, middleY] = [(left + right) / 2, (top + bottom) / 2];
  const [dx, dy] = [x - middleX, y - middleY];
  const part = Math.min((right - left) / 2 / Math.abs(dx || 1e-9), (bottom - top) / 2 / Math.abs(dy || 1e-9));
  return { x: middleX + dx * part, y: middleY + dy * part, angle: (Math.atan2(dx, -dy) * 180) / Math.PI };
}
