/** Refused box: what the service refused, why, and what the driver can do. */

import { el } from './element.js';

/** @typedef {import('../../types/driver.js').Action} Action */

const FINAL = new Set(['forbidden_transition', 'not_found']); // the order is over or somebody else's

/**
 * @typedef {object} Acts
 * @property {(action: Action) => unknown} retry
 * @property {(action: Action) => unknown} dismiss
 */

/** @param {import('./translations.js').Translations} words @param {Action} action @param {Acts} acts @returns {HTMLElement} */
export function refusedBox(words, action, acts) {
  const canRetry = action.proof !== 'pin' && !FINAL.has(action.refusal?.code ?? ''); // a PIN is entered anew
  return el('div.refused', { role: 'group', 'aria-label': words.say('refused') },
    el('p', {}, el('strong', {}, words.say(`refused.${action.proof ?? action.status ?? action.kind}`)), ' ', explain(words, action)),
    action.withdrew && el('p', {}, words.say('refusal.withdrew', { status: words.say(`status.${action.withdrew}`) })),
    el('div.row', {},
      el('button', { type: 'button', 'data-focus': `dismiss-${action.key}`, onclick: () => acts.dismiss(action) }, words.say('ok')),
      canRetry && el('button', { type: 'button', 'data-focus': `retry-${action.key}`, onclick: () => acts.retry(action) }, words.say('retry'))));
}

/** @param {import('./translations.js').Translations} words @param {Action} action @returns {string} why, in plain words */
function explain(words, { proof, refusal }) {
  const { code = '', detail = '' } = refusal ?? {};
  const names = [`refusal.${proof}.${code}`, `refusal.${code}`];
  const name = names.find((each) => words.has(each));
  return name ? words.say(name) : words.say('refusal.other', { detail });
}
