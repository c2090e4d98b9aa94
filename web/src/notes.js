/** Notes: the texts around a note to the courier. Pure. */

/** @typedef {import('./translations.js').Translations} Translations */

export const MAX_BYTES = 4_096; // of UTF-8, the service's limit
const REFUSALS = /** @type {Record<number, string>} */ ({
  0: 'note.offline', 403: 'note.link', 404: 'note.link', 409: 'note.ended', 413: 'note.long', 422: 'note.long',
});

const REFUSED_ACTS = /** @type {Record<number, string>} */ ({ 403: 'act.forbidden', 422: 'place.far', 429: 'act.soon' });

/** @param {string} text @returns {number} bytes left; negative: above the limit */
export function bytesLeft(text) {
  return MAX_BYTES - new TextEncoder().encode(text).length;
}

/** @param {number} left bytes @param {Translations} words @returns {string} empty while there is plenty of room */
export function roomLeft(left, words) {
  if (left < 0) return words.say('note.over', { count: -left });
  return left < 200 ? words.say('note.left', { count: left }) : '';
}

/**
 * Tell the customer why a note was not sent, and what to do.
 * @param {{status: number, retryAfter: number}} refusal status: HTTP status, 0 if there was no answer; retryAfter:
 *   milliseconds
 * @param {Translations} words
 * @returns {string}
 */
export function whyNotSent({ status, retryAfter }, words) {
  if (status === 429 && !retryAfter) return words.say('note.soon');
  if (status === 429) return words.say('note.wait', { time: words.duration(Math.ceil(retryAfter / 1000)) });
  return words.say(REFUSALS[status] ?? 'note.failed');
}

/** The same for instructions, a place or a rating. @param {{status: number, retryAfter: number}} refusal @param {Translations} words */
export function whyNotDone(refusal, words) {
  const name = REFUSED_ACTS[refusal.status];
  return name ? words.say(name) : whyNotSent(refusal, words);
}
