/** Fail sheet: why a delivery failed. */

import { el } from './element.js';
import { openSheet } from './sheet.js';

export const OUTCOMES = ['not_home', 'wrong_address', 'refused', 'no_access', 'damaged', 'missing_item', 'other'];
const REASON_LENGTH = 500; // characters

/**
 * @param {import('./translations.js').Translations} words @param {string} title of the order
 * @param {(report: {outcome: string, reason?: string}) => unknown} onFail
 */
export function openFailSheet(words, title, onFail) {
  const choices = OUTCOMES.map((outcome) => el('label.choice', {},
    el('input', { type: 'radio', name: 'outcome', value: outcome, required: true }), words.say(`outcome.${outcome}`)));
  const reason = /** @type {HTMLTextAreaElement} */ (el('textarea', { id: 'fail-reason', rows: 2, maxlength: REASON_LENGTH }));
  const submit = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const outcome = String(new FormData(/** @type {HTMLFormElement} */ (event.target)).get('outcome'));
    sheet.close();
    onFail({ outcome, reason: reason.value.trim() || undefined });
  };
  const sheet = openSheet(words, words.say('fail.title', { order: title }),
    el('form', { onsubmit: submit },
      el('fieldset', {}, el('legend', {}, words.say('fail.why')), ...choices),
      el('label', { for: 'fail-reason' }, words.say('fail.reason')), reason,
      el('button.danger', { type: 'submit' }, words.say('fail.confirm'))));
}
