/** Sign-in: reads the code or token of a link, and exchanges a code for a token. */

import { setUpLinks } from './apps.js';

/** @typedef {{token: string} | {code: string}} Credential */

/**
 * @param {string} fragment of the page's address, `#pair=CODE` or `#token=…`
 * @returns {Credential|null}
 */
export function credentialIn(fragment) {
  const values = new URLSearchParams(fragment.replace(/^#/, ''));
  const [token, code] = [values.get('token')?.trim(), values.get('pair')?.trim()];
  if (token) return { token };
  return code ? { code } : null;
}

/**
 * What a driver typed or pasted: a code, a token or a whole link.
 * @param {string} text @returns {Credential|null}
 */
export function credentialOf(text) {
  const typed = text.trim();
  if (typed.includes('#')) return credentialIn(typed.slice(typed.indexOf('#')));
  if (!typed) return null;
  return typed.replace(/[\s-]/g, '').length <= 16 ? { code: typed } : { token: typed };
}

export class SignInFailed extends Error {
  /** @param {'unknown_code'|'too_many'|'offline'|'failed'} why */
  constructor(why) {
    super(why);
    this.why = why;
  }
}

/**
 * Exchange a pairing code for a token. A repeated call with the same key gives the same token.
 * @param {string} service the service's base URL @param {string} code @param {string} key
 * @returns {Promise<{token: string, apps: import('./apps.js').AppLink[]}>} the token, and links that set up phone apps
 *   with it; rejects with SignInFailed
 */
export async function pair(service, code, key) {
  const request = {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'Idempotency-Key': key },
    body: JSON.stringify({ code }),
  };
  const answer = await fetch(new URL('v1/drivers/pair', service), request).catch(() => null);
  if (!answer) throw new SignInFailed('offline');
  if (answer.status === 404 || answer.status === 422) throw new SignInFailed('unknown_code');
  if (answer.status === 429) throw new SignInFailed('too_many');
  if (!answer.ok) throw new SignInFailed('failed');
  const { token, setup } = await answer.json();
  return { token, apps: setUpLinks(setup) };
}
