/** ProofField: the proofs of delivery that an order requires. */

import { el } from '../../drive/element.js';

export const PROOFS = ['photo', 'signature', 'pin'];

/** @param {(name: string) => string} say */
export function proofField(say) {
  return el('fieldset', {}, el('legend', {}, say('new.proofs')),
    ...PROOFS.map((kind) => el('label.check', {}, el('input', { type: 'checkbox', name: 'proof', value: kind }), say(`require.${kind}`))));
}
