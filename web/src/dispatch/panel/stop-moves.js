/** StopMoves: another sequence of a driver's stops, with each pickup before its dropoff. Pure. */

/** @typedef {{order_id: string, kind: 'pickup'|'dropoff'}} Stop */

/** @param {readonly Stop[]} stops @param {number} at @param {1|-1} step @returns {boolean} */
export function canMove(stops, at, step) {
  const [stop, other] = [stops[at], stops[at + step]];
  return Boolean(stop && other) && stop.order_id !== other.order_id;
}

/**
 * @template {Stop} S @param {readonly S[]} stops @param {number} at @param {1|-1} step
 * @returns {S[]} with the stop one place further
 */
export function moved(stops, at, step) {
  const next = [...stops];
  if (canMove(stops, at, step)) [next[at], next[at + step]] = [next[at + step], next[at]];
  return next;
}
