/** Notes: the texts around a note to the courier. Pure. */

export const MAX_BYTES = 4_096; // of UTF-8, the service's limit

/** @param {string} text @returns {number} bytes left; negative: above the limit */
export function bytesLeft(text) {
  return MAX_BYTES - new TextEncoder().encode(text).length;
}

/** @param {number} left bytes @returns {string} empty while there is plenty of room */
export function roomLeft(left) {
  if (left < 0) return `${-left} too many characters`;
  return left < 200 ? `${left} characters left` : '';
}

/**
 * Tell the customer why a note was not sent, and what to do.
 * @param {{status: number, retryAfter: number}} refusal status: HTTP status, 0 if there was no answer; retryAfter:
 *   milliseconds
 * @returns {string}
 */
export function whyNotSent({ status, retryAfter }) {
  if (status === 429) return `Not sent: too many messages. Please wait ${wait(retryAfter)} and send it again.`;
  if (status === 413 || status === 422) return 'Not sent: the message is too long.';
  if (status === 409) return 'Not sent: the order is over.';
  if (status === 403 || status === 404) return 'Not sent: this tracking link has ended.';
  if (status === 0) return 'Not sent: there is no connection. Please try again.';
  return 'Not sent: something went wrong. Please try again.';
}

/** @param {number} milliseconds */
function wait(milliseconds) {
  const seconds = Math.ceil(milliseconds / 1000);
  if (!seconds) return 'a moment';
  if (seconds < 90) return seconds === 1 ? '1 second' : `${seconds} seconds`;
  return `${Math.ceil(seconds / 60)} minutes`;
}
