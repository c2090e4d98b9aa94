/** Notes: the words around a message to the courier. Pure. */

export const LONGEST = 4_096; // bytes, as the service counts them

/** @param {string} text @returns {number} bytes that may still be added; negative: so many too many */
export function bytesLeft(text) {
  return LONGEST - new TextEncoder().encode(text).length;
}

/** @param {number} left bytes @returns {string} nothing while there is plenty of room */
export function roomLeft(left) {
  if (left < 0) return `${-left} too many characters`;
  return left < 200 ? `${left} characters left` : '';
}

/**
 * Why a note was not taken, for people.
 * @param {{status: number, retryAfter: number}} refusal status: HTTP's, 0 where nobody answered
 * @returns {string}
 */
export function whyNotSent({ status, retryAfter }) {
  if (status === 429) return `Not sent: that was a lot at once. Please wait ${wait(retryAfter)} and send it again.`;
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
