/** Link: the API address behind a tracking link, and what the customer sends there. */

import { randomId } from './random-id.js';
import { retryAfterOf } from './transports.js';

/** Something was not stored. `status` is the HTTP status, 0 if there was no answer; `retryAfter` is in milliseconds. */
export class NotSent extends Error {
  /** @param {number} status @param {number} retryAfter */
  constructor(status, retryAfter) {
    super(`it was not sent (${status})`);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/**
 * The parts of a tracking link, without trailing text such as a full stop:
 * `https://shop.example/tracking/t/<token>` -> `{service: 'https://shop.example/tracking', token: '<token>'}`
 * @param {string|URL} url
 */
function parse(url) {
  const { origin, pathname } = new URL(url, globalThis.location?.href);
  const [, prefix, token] = /^(.*?)\/(?:t|embed)\/([\w-]+)/.exec(pathname) ?? [];
  if (!token) throw new TypeError(`not a tracking link: ${origin}/…`);
  return { service: origin + prefix, token };
}

/** The base URL of the service behind a tracking link. @param {string|URL} url */
export function serviceOf(url) {
  return parse(url).service;
}

/** The clean address of the page behind a tracking link. @param {string|URL} url */
export function pageOf(url) {
  const { service, token } = parse(url);
  return `${service}/t/${token}`;
}

/** `https://track.example/t/<token>` -> `https://track.example/v1/track/<token>` @param {string} url */
export function linkOf(url) {
  const { service, token } = parse(url);
  return `${service}/v1/track/${token}`;
}

/** Sends one kind of thing to the service over HTTP. What is sent again after a failure is stored once. */
export class Sender {
  /** @param {string} link https://…/v1/track/<token> @param {string} what such as `messages` */
  constructor(link, what) {
    this._url = `${link}/${what}`;
    this._failed = { body: '', key: '' }; // what may or may not have been stored
  }

  /**
   * @param {object} content
   * @returns {Promise<void>} resolves once the service has stored it; rejects with NotSent
   */
  async send(content) {
    const body = JSON.stringify(content);
    if (body !== this._failed.body) this._failed = { body, key: randomId() };
    const headers = { 'Content-Type': 'application/json', 'Idempotency-Key': this._failed.key };
    const response = await fetch(this._url, { method: 'POST', body, headers, credentials: 'omit' }).catch(() => null);
    if (!response?.ok) throw new NotSent(response?.status ?? 0, response ? retryAfterOf(response) : 0);
    this._failed = { body: '', key: '' };
  }
}
