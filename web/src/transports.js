/** Ways: how messages come from the service: WebSocket, server-sent events, long polling. All speak the same. */

import { EventText } from './sse-parser.js';

/** @typedef {{send: (message: object) => void, close: () => void}} Line */
/**
 * @typedef {object} Ears what a way tells; nothing more after `closed`, nor after the line was closed from here
 * @property {(message: any) => void} message
 * @property {() => void} alive the other side is there, without a message
 * @property {(code: number, wish?: number) => void} closed wish: milliseconds that the server asked to wait
 */
/**
 * link: https://…/v1/track/<token>; visit: the name of this load of the page, for the first connections
 * @typedef {(link: string, cursor: string, ears: Ears, visit?: string) => Line} Way
 */

const WAIT_S = 25; // seconds a poll may hang
const FIRST_WAIT_S = 5; // seconds for the first, which has to prove that this way works
const POLL_GAP = 500; // milliseconds: at most two updates a second, as on the other ways

// What an HTTP status says, in the close codes of the WebSocket.
const CODES = /** @type {Record<number, number>} */ ({
  400: 4000, 401: 4001, 403: 4003, 404: 4003, 410: 4010, 422: 4000, 429: 4103, 503: 4101,
});

/** @type {Way} */
export function webSocket(link, cursor, ears, visit) {
  const socket = new WebSocket(address(link.replace(/^http/, 'ws'), 'stream', from(cursor, visit)));
  socket.onmessage = (event) => ears.message(JSON.parse(event.data));
  socket.onclose = (event) => ears.closed(event.code);
  return {
    send: (message) => socket.readyState === WebSocket.OPEN && socket.send(JSON.stringify(message)),
    close: () => {
      socket.onmessage = socket.onclose = null;
      socket.close(1000);
    },
  };
}

/** By fetch and not EventSource, which hides the status and Retry-After. @type {Way} */
export function events(link, cursor, ears, visit) {
  return reading(ears, async (signal) => {
    const answer = await get(address(link, 'events', from(cursor, visit)), signal, 'text/event-stream');
    if (answer.status === 204) return ears.closed(1000); // over, and all of it known
    if (answer.status !== 200 || !answer.body) return ears.closed(codeOf(answer.status), wishOf(answer));
    const text = new EventText();
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let ended = false; !ended; ) {
      const { done, value } = await reader.read();
      if (signal.aborted) return;
      if (done) return ears.closed(1006, text.retry);
      ended = hear(ears, text.add(value).map((data) => JSON.parse(data)));
    }
  });
}

/** @type {Way} */
export function polling(link, cursor, ears, visit) {
  return reading(ears, async (signal) => {
    for (let ended = false, wait = FIRST_WAIT_S; !ended; wait = WAIT_S) {
      const place = [...from(cursor, visit), `wait_s=${wait}`];
      const answer = await get(address(link, 'poll', place), signal, 'application/json');
      if (answer.status !== 200 && answer.status !== 204) return ears.closed(codeOf(answer.status), wishOf(answer));
      const { messages = [], cursor: newest = cursor } = answer.status === 200 ? await answer.json() : {};
      if (signal.aborted) return;
      cursor = newest;
      ended = hear(ears, messages);
      if (!ended) await pause(POLL_GAP, signal);
    }
  });
}

/** @param {Ears} ears @param {any[]} messages @returns {boolean} whether that was the end */
function hear(ears, messages) {
  if (!messages.length) ears.alive();
  for (const message of messages) ears.message(message);
  const end = messages.find((message) => message.type === 'end');
  if (end) ears.closed(['revoked', 'expired'].includes(end.reason) ? 4011 : 1000);
  return Boolean(end);
}

/**
 * A line that only reads. What breaks it, network or nonsense, is told as a lost connection.
 * @param {Ears} ears @param {(signal: AbortSignal) => Promise<void>} read @returns {Line}
 */
function reading(ears, read) {
  const control = new AbortController();
  const { signal } = control;
  read(signal).catch(() => signal.aborted || ears.closed(1006));
  return { send: () => {}, close: () => control.abort() };
}

/** @param {string} url @param {AbortSignal} signal @param {string} type */
function get(url, signal, type) {
  return fetch(url, { signal, headers: { Accept: type }, cache: 'no-store', credentials: 'omit' });
}

/** Where to go on. Without a cursor the service counts an opening, once a visit. @param {string} cursor @param {string} [visit] */
function from(cursor, visit) {
  if (cursor) return [`cursor=${encodeURIComponent(cursor)}`];
  return visit ? [`visit=${visit}`] : [];
}

/** @param {string} link @param {string} way @param {string[]} query */
function address(link, way, query) {
  return `${link}/${way}${query.length ? `?${query.join('&')}` : ''}`;
}

/** @param {number} status */
function codeOf(status) {
  return CODES[status] ?? 1011;
}

/** @param {Response} answer @returns {number} milliseconds, from seconds or from a date; 0 where it says nothing */
export function wishOf(answer) {
  const said = answer.headers.get('Retry-After') ?? '';
  const wish = /^\d+$/.test(said) ? Number(said) * 1000 : Date.parse(said) - Date.now();
  return Number.isFinite(wish) ? Math.max(0, wish) : 0;
}

/** @param {number} milliseconds @param {AbortSignal} signal */
function pause(milliseconds, signal) {
  return new Promise((go) => {
    const timer = setTimeout(go, milliseconds);
    signal.addEventListener('abort', () => (clearTimeout(timer), go(undefined)), { once: true });
  });
}
