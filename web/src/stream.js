/** OrderStream: the order's messages over a connection that comes back by itself. */

/** @typedef {'connecting'|'live'|'quiet'|'reconnecting'|'offline'|'over'} Connection */
/** @typedef {{send: (message: object) => void, close: () => void}} Line */
/** @typedef {{opened: () => void, message: (message: any) => void, closed: (code: number) => void}} Ears */
/** @typedef {(url: string, ears: Ears) => Line} Transport other ways (events, polling) can take this place */

const SILENT_AFTER = 45_000; // milliseconds: the server speaks every 20 s at most
const QUIET_AFTER = 25_000; // milliseconds
const STEADY_AFTER = 10_000; // milliseconds of connection that make earlier failures forgotten
const LONGEST_PAUSE = 15_000; // milliseconds
const WENT_AWAY = new Set([1001, 1012]);

/**
 * How long to wait before connecting again.
 * @param {number} code the close code
 * @param {number} attempt failures in a row, from 0
 * @param {() => number} random 0..1
 * @returns {number|null} milliseconds; null: do not come back
 */
export function pauseAfter(code, attempt, random = Math.random) {
  if (code === 1000 || (code >= 4000 && code < 4100)) return null;
  if (WENT_AWAY.has(code)) return LONGEST_PAUSE * random() ** 2; // all of 0..15 s, most of them soon
  const first = code >= 4100 && code < 4200 ? 4_000 : 1_000;
  return Math.min(LONGEST_PAUSE, first * 2 ** attempt) * random();
}

/** @type {Transport} */
export function webSocket(url, ears) {
  const socket = new WebSocket(url);
  socket.onopen = () => ears.opened();
  socket.onmessage = (event) => ears.message(JSON.parse(event.data));
  socket.onclose = (event) => ears.closed(event.code);
  return {
    send: (message) => socket.readyState === WebSocket.OPEN && socket.send(JSON.stringify(message)),
    close: () => {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close(1000);
    },
  };
}

export class OrderStream {
  /**
   * @param {string} url of the stream, without a cursor
   * @param {{onMessage: (message: any) => void, onConnection: (connection: Connection, code: number) => void,
   *   transport?: Transport}} options
   */
  constructor(url, { onMessage, onConnection, transport = webSocket }) {
    this._url = url;
    this._transport = transport;
    this._onMessage = onMessage;
    this._onConnection = onConnection;
    this._cursor = '';
    this._attempt = 0;
    this._over = false;
    /** @type {Line|null} */ this._line = null;
    /** @type {Record<string, ReturnType<typeof setTimeout>>} */ this._timers = {};
  }

  /** @param {string} cursor of the newest state that is known already */
  start(cursor) {
    this._cursor = cursor;
    this._connect('connecting');
  }

  /** Tells the server what has been shown, so that it never gets far ahead. @param {string} cursor */
  seen(cursor) {
    this._line?.send({ type: 'seen', cursor });
  }

  /** Connects anew at once: the network is back, or the page is looked at again. */
  hurry() {
    if (this._over) return;
    this._attempt = 0;
    this._connect('reconnecting');
  }

  /** The network is away; the socket does not notice. */
  lose() {
    if (!this._over) this._onConnection('offline', 0);
  }

  /** Ends it for good. */
  stop() {
    this._over = true;
    this._hangUp();
  }

  /** @param {Connection} connection */
  _connect(connection) {
    this._hangUp();
    this._onConnection(connection, 0);
    const url = this._cursor ? `${this._url}?cursor=${encodeURIComponent(this._cursor)}` : this._url;
    this._line = this._transport(url, {
      opened: () => this._listen(),
      message: (message) => this._hear(message),
      closed: (code) => this._closed(code),
    });
    this._after('silent', SILENT_AFTER, () => this._closed(4104));
  }

  /** @param {any} message */
  _hear(message) {
    this._listen();
    if (!this._timers.steady) this._after('steady', STEADY_AFTER, () => (this._attempt = 0));
    if (message.cursor) this._cursor = message.cursor;
    if (message.type === 'end') this._over = true;
    this._onConnection(this._over ? 'over' : 'live', 0);
    this._onMessage(message);
  }

  /** Every message winds the clocks of silence again. */
  _listen() {
    this._after('silent', SILENT_AFTER, () => this._closed(4104));
    this._after('quiet', QUIET_AFTER, () => {
      this._onConnection('quiet', 0);
      this._line?.send({ type: 'ping', n: 1 });
    });
  }

  /** @param {number} code */
  _closed(code) {
    this._hangUp();
    const pause = this._over ? null : pauseAfter(code, this._attempt++);
    if (pause === null) {
      this._over = true;
      this._onConnection('over', code);
    } else {
      this._onConnection('reconnecting', code);
      this._after('again', pause, () => this._connect('reconnecting'));
    }
  }

  _hangUp() {
    Object.values(this._timers).forEach(clearTimeout);
    this._timers = {};
    this._line?.close();
    this._line = null;
  }

  /** @param {string} name @param {number} milliseconds @param {() => void} act */
  _after(name, milliseconds, act) {
    clearTimeout(this._timers[name]);
    this._timers[name] = setTimeout(act, milliseconds);
  }
}
