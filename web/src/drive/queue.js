/** Queue: the driver's actions that the service does not have yet. Pure. */

import { randomId } from '../random-id.js';

/** @typedef {import('../../types/driver.js').Action} Action */
/** @typedef {import('../../types/driver.js').Refusal} Refusal */

const RETRY_DELAY = 10_000; // milliseconds; the service takes a note to a customer every ten seconds
const TEMPORARY = new Set(['rate_limited', 'storage_unavailable', 'overloaded', 'internal', 'bad_message']);

/**
 * The action to send next. Those of one order keep their sequence; orders do not wait for each other.
 * @param {Action[]} actions oldest first @param {number} now milliseconds
 * @returns {Action|null}
 */
export function nextAction(actions, now) {
  const held = new Set();
  for (const action of actions) {
    const lane = action.order ?? '';
    if (action.refusal || held.has(lane)) continue;
    if ((action.retryAt ?? 0) <= now) return action;
    held.add(lane);
  }
  return null;
}

/** The milliseconds until a delayed action is due; null without one. @param {Action[]} actions @param {number} now */
export function nextDelay(actions, now) {
  const times = actions.filter(({ refusal, retryAt }) => !refusal && retryAt).map(({ retryAt }) => Number(retryAt));
  return times.length ? Math.max(0, Math.min(...times) - now) : null;
}

/**
 * What a refusal changes in the queue.
 *
 * A temporary one delays the action. Otherwise the action stays, refused, until the driver has read why. A later
 * status of its order is withdrawn, because it needs what was refused. Notes and other proofs are sent nevertheless.
 * @param {Action[]} actions @param {Action} action @param {Refusal} refusal @param {number} now
 * @returns {{put: Action[], remove: Action[]}}
 */
export function refuse(actions, action, refusal, now) {
  if (TEMPORARY.has(refusal.code) && action.proof !== 'pin') {
    return { put: [{ ...action, retryAt: now + (refusal.retryAfter || RETRY_DELAY) }], remove: [] };
  }
  const later = actions.filter((each) => each.kind === 'status' && each.order === action.order && isAfter(each, action));
  const withdrew = later.at(-1)?.status ?? action.withdrew;
  return { put: [{ ...action, refusal, withdrew, retryAt: undefined }], remove: later };
}

/** The same action once more, as new. @param {Action} action @returns {Action} */
export function again(action) {
  const fresh = { ...action, key: randomId() };
  delete fresh.seq;
  delete fresh.refusal;
  delete fresh.retryAt;
  delete fresh.withdrew;
  return fresh;
}

/** The number of actions that wait to be sent. @param {Action[]} actions */
export function unsent(actions) {
  return actions.filter(({ refusal }) => !refusal).length;
}

/** @param {Action} each @param {Action} action */
function isAfter(each, action) {
  return Number(each.seq) > Number(action.seq) && !each.refusal;
}
