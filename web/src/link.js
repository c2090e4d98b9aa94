/** Link: a tracking link, and what is asked of it once. */

import { wishOf } from './transports.js';

/** Why a note was not taken. `status` is HTTP's, 0 where nobody answered; `retryAfter` in milliseconds. */
export class NotSent extends Error {
  /** @param {number} status @param {number} retryAfter */
  constructor(status, retryAfter) {
    super(`the note was not taken (${status})`);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/** `https://track.example/t/<token>` -> `https://track.example/v1/track/<token>` @param {string} url */
export function linkOf(url) {
  const { origin, pathname } = new URL(url, globalThis.location?.href);
  const token = /\/(?:t|embed)\/([\w-]+)/.exec(pathname)?.[1]; // and nothing that a text put behind it
  if (!token) throw new TypeError(`not a tracking link: ${origin}/…`);
  return `${origin}/v1/track/${token}`;
}

/**
 * A note to the driver. Over HTTP and not over the stream, as there is an answer to each.
 * @param {string} link https://…/v1/track/<token>
 * @param {string} text
 * @returns {Promise<void>} once the service has it; rejects with NotSent
 */
export async function sendNote(link, text) {
  const body = JSON.stringify({ text });
  const headers = { 'Content-Type': 'application/json' };
  const request = fetch(`${link}/messages`, { method: 'POST', body, headers, credentials: 'omit' });
  const answer = await request.catch(() => null);
  if (!answer?.ok) throw new NotSent(answer?.status ?? 0, answer ? wishOf(answer) : 0);
}
