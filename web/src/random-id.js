/** RandomId: ids that nobody can guess, also over plain http, where browsers have no `crypto.randomUUID`. */

/** @returns {string} 24 hexadecimal digits */
export function randomId() {
  return [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
