/** ActsOf: what a dispatcher may do with an order in its status. Pure. */

/** @typedef {import('../../../types/fleet.js').OrderStatus} OrderStatus */
/**
 * @typedef {object} Act
 * @property {string} name of its text, `act.<name>`
 * @property {OrderStatus|'attempt'|'assign'} to what it leads to
 * @property {boolean} [asks] whether it asks for a reason first
 */

const ASSIGN = /** @type {Act} */ ({ name: 'assign', to: 'assign' });
const CANCEL = /** @type {Act} */ ({ name: 'cancel', to: 'cancelled', asks: true });
const FAIL = /** @type {Act} */ ({ name: 'fail', to: 'failed', asks: true });
const REASSIGN = /** @type {Act} */ ({ name: 'reassign', to: 'assign' });

const ACTS = /** @type {Record<string, Act[]>} */ ({
  created: [ASSIGN, CANCEL],
  assigned: [REASSIGN, { name: 'unassign', to: 'created' }, { name: 'pick_up', to: 'picked_up' }, FAIL, CANCEL],
  picked_up: [{ name: 'deliver', to: 'delivered' }, REASSIGN, FAIL, CANCEL],
  failed: [{ name: 'attempt', to: 'attempt' }],
});

export const OUTCOMES = ['not_home', 'wrong_address', 'refused', 'no_access', 'damaged', 'missing_item', 'other'];

/** @param {string} status @returns {Act[]} the likeliest first */
export function actsOf(status) {
  return ACTS[status] ?? [];
}
