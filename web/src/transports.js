/** Transports: WebSocket, server-sent events and long polling. All of them carry the same messages. */

import { SseParser } from './sse-parser.js';
import { retryAfterReason } from './reconnect.js';

/** @typedef {import('../types/order.js').Message} Message */
/** @typedef {import('../types/transport.js').Handlers} Handlers */
/** @typedef {import('../types/transport.js').Session} Session */
/** @typedef {import('../types/transport.js').Transport} Transport */

const WAIT_S = 25; // seconds that the server may hold a poll
const FIRST_WAIT_S = 5; // seconds for the first poll, which proves that polling works
const POLL_GAP = 500; // milliseconds: at most two updates a second, as on the other transports

// The WebSocket close code with the same meaning as an HTTP status.
const CLOSE_CODES = /** @type {Record<number, number>} */ ({
  400: 4000, 401: 4001, 403: 4003, 404: 4003, 410: 4010, 422: 4000, 429: 4103, 503: 4101,
});

/** @type {Transport} */
export function webSocket(link, cursor, handlers, visit) {
  const socket = new WebSocket(address(link.replace(/^http/, 'ws'), 'stream', resume(cursor, visit)));
  socket.onmessage = (event) => handlers.message(JSON.parse(event.data));
  socket.onclose = (event) => handlers.closed(event.code, retryAfterReason(event.reason));
  return {
    send: (message) => socket.readyState === WebSocket.OPEN && socket.send(JSON.stringify(message)),
    close: () => {
      socket.onmessage = socket.onclose = null;
      socket.close(1000);
    },
  };
}

/**
 * Server-sent events. Uses fetch, because EventSource hides the status and Retry-After.
 * @param {RequestCredentials} credentials whether the service's cookie is sent @returns {Transport}
 */
export function eventsWith(credentials) {
  return (link, cursor, handlers, visit) => read(handlers, async (signal) => {
    const response = await get(address(link, 'events', resume(cursor, visit)), signal, 'text/event-stream', credentials);
    if (response.status === 204) return handlers.closed(1000); // the order is over and the client knows its end
    if (response.status !== 200 || !response.body) return refused(handlers, response);
    const parser = new SseParser();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let ended = false; !ended; ) {
      const { done, value } = await reader.read();
      if (signal.aborted) return;
      if (done) return handlers.closed(1006, parser.retry);
      ended = deliver(handlers, parser.add(value).map((data) => JSON.parse(data)));
    }
  });
}

export const events = eventsWith('omit'); // a tracking link is its own credential

/** @type {Transport} */
export function polling(link, cursor, handlers, visit) {
  return read(handlers, async (signal) => {
    for (let ended = false, wait = FIRST_WAIT_S; !ended; wait = WAIT_S) {
      const query = [...resume(cursor, visit), `wait_s=${wait}`];
      const response = await get(address(link, 'poll', query), signal, 'application/json');
      if (response.status !== 200 && response.status !== 204) return refused(handlers, response);
      const { messages = [], cursor: newest = cursor } = response.status === 200 ? await response.json() : {};
      if (signal.aborted) return;
      cursor = newest;
      ended = deliver(handlers, messages);
      if (!ended) await pause(POLL_GAP, signal);
    }
  });
}

/** @param {Handlers} handlers @param {Message[]} messages @returns {boolean} whether the order's end was among them */
function deliver(handlers, messages) {
  if (!messages.length) handlers.alive();
  for (const message of messages) handlers.message(message);
  const end = messages.find((message) => message.type === 'end');
  if (end) handlers.closed(end.reason === 'revoked' || end.reason === 'expired' ? 4011 : 1000);
  return Boolean(end);
}

/** @param {Handlers} handlers @param {Response} response */
function refused(handlers, response) {
  handlers.closed(CLOSE_CODES[response.status] ?? 1011, retryAfterOf(response));
}

/**
 * A session that only reads. An exception, from the network or from malformed data, counts as a lost connection.
 * @param {Handlers} handlers @param {(signal: AbortSignal) => Promise<void>} run @returns {Session}
 */
function read(handlers, run) {
  const control = new AbortController();
  const { signal } = control;
  run(signal).catch(() => signal.aborted || handlers.closed(1006));
  return { send: () => {}, close: () => control.abort() };
}

/** @param {string} url @param {AbortSignal} signal @param {string} type @param {RequestCredentials} [credentials] */
function get(url, signal, type, credentials = 'omit') {
  return fetch(url, { signal, headers: { Accept: type }, cache: 'no-store', credentials });
}

/**
 * The query that continues a stream. The service counts a request without a cursor as an opening, once per visit.
 * @param {string} cursor @param {string} [visit]
 */
function resume(cursor, visit) {
  if (cursor) return [`cursor=${encodeURIComponent(cursor)}`];
  return visit ? [`visit=${visit}`] : [];
}

/** @param {string} link @param {string} path @param {string[]} query */
function address(link, path, query) {
  return `${link}/${path}${query.length ? `?${query.join('&')}` : ''}`;
}

/** Retry-After, in seconds or as a date. @param {Response} response @returns {number} milliseconds; 0 if absent */
export function retryAfterOf(response) {
  const header = response.headers.get('Retry-After') ?? '';
  const delay = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isFinite(delay) ? Math.max(0, delay) : 0;
}

/** @param {number} milliseconds @param {AbortSignal} signal @returns {Promise<void>} */
function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
  });
}
