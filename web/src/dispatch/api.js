/** Api: calls of the service with the browser's session. */

import { randomId } from '../random-id.js';
import { retryAfterOf } from '../transports.js';

/** @typedef {{field: string, detail: string, candidates?: object[]}} FieldProblem */

/** Why a call did not succeed, in the service's words. `status` 0: there was no answer. */
export class Problem extends Error {
  /** @param {number} status @param {{title?: string, detail?: string, errors?: FieldProblem[]}} body @param {number} [retryAfter] milliseconds */
  constructor(status, body, retryAfter = 0) {
    const fields = (body.errors ?? []).map(({ field, detail }) => `${field}: ${detail}`);
    super([body.detail ?? body.title ?? '', ...fields].filter(Boolean).join(' '));
    this.status = status;
    this.errors = body.errors ?? [];
    this.retryAfter = retryAfter;
  }
}

export class Api {
  /** @param {string} service its base URL @param {() => void} onEnded the session is over */
  constructor(service, onEnded) {
    this.service = service;
    this._onEnded = onEnded;
  }

  /** @param {string} path @returns {Promise<any>} */
  get(path) {
    return this.call('GET', path);
  }

  /** Create or change something. A repeated key gets the first answer. @param {string} path @param {object} [body] @param {string} [key] @returns {Promise<any>} */
  post(path, body = {}, key = randomId()) {
    return this.call('POST', path, body, { 'Idempotency-Key': key });
  }

  /**
   * @param {string} method @param {string} path below the service @param {object} [body] @param {Record<string, string>} [headers]
   * @returns {Promise<any>} the answer's JSON; null if it has none. Rejects with Problem.
   */
  async call(method, path, body, headers = {}) {
    const answer = await this.send(method, path, body, headers);
    const isJson = /\bjson\b/.test(answer.headers.get('Content-Type') ?? '');
    const content = isJson ? await answer.json().catch(() => ({})) : null;
    if (answer.ok) return content;
    if (answer.status === 401 && path !== 'v1/session') this._onEnded();
    throw new Problem(answer.status, content ?? {}, retryAfterOf(answer));
  }

  /** @param {string} method @param {string} path @param {object} [body] @param {Record<string, string>} [headers] */
  send(method, path, body, headers = {}) {
    const sent = new Headers({ Accept: 'application/json', ...headers });
    if (body !== undefined) sent.set('Content-Type', 'application/json');
    const content = body === undefined ? undefined : JSON.stringify(body);
    return fetch(`${this.service}/${path}`, { method, headers: sent, body: content, cache: 'no-store' }).catch(() => {
      throw new Problem(0, {});
    });
  }
}

/** @param {unknown} error @param {import('../translations.js').Translations} words @returns {string} what to tell the dispatcher */
export function problemText(error, words) {
  if (!(error instanceof Problem)) throw error;
  if (error.status === 0) return words.say('problem.offline');
  if (error.status === 429) return words.say('problem.rate', { time: words.duration(Math.max(1_000, error.retryAfter) / 1000) });
  if (error.status === 412) return words.say('problem.changed');
  return error.message || words.say('problem.other', { status: error.status });
}
