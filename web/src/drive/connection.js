/**
 * DriverConnection: the driver's WebSocket, which reconnects by itself.
 *
 * Events: `state` after each change of `state`, and `receive` with each message but acks, errors and pings in `detail`.
 */

import { backOff, isFinal, retryAfterReason } from '../reconnect.js';
import { browser } from '../environment.js';

/** @typedef {import('../../types/driver.js').ToDriver} ToDriver */
/** @typedef {'connecting'|'live'|'reconnecting'|'offline'|'draining'|'replaced'|'signed_out'|'refused'|'closed'} State */
/** @typedef {{code: string, detail: string}|null} Answer null: acknowledged; otherwise the error */
/** @typedef {Pick<WebSocket, 'send'|'close'|'onopen'|'onmessage'|'onclose'>} Socket */

const SILENT = 45_000; // milliseconds without a message; the server pings every 20 s
const QUIET = 25_000; // of silence, after which a page that wakes up reconnects at once
const STABLE = 10_000; // of connection, after which the back-off starts small again
/** @type {Record<number, State>} */
const ENDS = { 1000: 'closed', 4001: 'signed_out', 4009: 'replaced' };

export class Disconnected extends Error {}

export class DriverConnection extends EventTarget {
  /**
   * @param {string} service the service's base URL
   * @param {string} token the driver's
   * @param {{environment?: import('../environment.js').Environment, open?: (url: string) => Socket,
   *   random?: () => number}} [options] for tests
   */
  constructor(service, token, { environment = browser, open, random = Math.random } = {}) {
    super();
    this._url = new URL('v1/drivers/stream', service).href.replace(/^http/, 'ws');
    this._token = token;
    this._environment = environment;
    this._open = open ?? ((url) => new WebSocket(url, 'tracker.v1'));
    this._random = random;
    this._attempt = 0; // consecutive failures
    this._nextId = 1;
    this._heardAt = 0;
    /** @type {State} */ this.state = 'closed';
    /** @type {Socket|null} */ this._socket = null;
    /** @type {Map<number, {resolve: (answer: Answer) => void, reject: (error: Error) => void}>} */
    this._waiting = new Map();
    /** @type {Record<string, ReturnType<typeof setTimeout>>} */ this._timers = {};
    this._stopListening = () => {};
  }

  start() {
    this._stopListening = this._environment.listen({
      online: () => this._reconnectNow(),
      offline: () => this._set('offline'),
      visible: () => Date.now() - this._heardAt > QUIET && this._reconnectNow(),
    });
    this._set('connecting');
    this._connect();
  }

  /** Disconnect for good. */
  close() {
    this._stop();
    this._set('closed');
  }

  /** Connect again after another page or device took over. */
  takeOver() {
    this._stop();
    this.start();
  }

  get isLive() {
    return this.state === 'live';
  }

  /**
   * Send a message and await its answer.
   * @param {Record<string, unknown>} message without `id`
   * @returns {Promise<Answer>} rejects with Disconnected if the connection ends first
   */
  request(message) {
    return new Promise((resolve, reject) => {
      if (!this._socket || !this.isLive) return reject(new Disconnected());
      const id = this._nextId++;
      this._waiting.set(id, { resolve, reject });
      this._socket.send(JSON.stringify({ ...message, id }));
    });
  }

  // --- one connection

  _connect() {
    this._disconnect();
    const socket = (this._socket = this._open(this._url));
    socket.onopen = () => socket.send(JSON.stringify({ type: 'hello', token: this._token, role: 'screen' }));
    socket.onmessage = ({ data }) => socket === this._socket && this._receive(JSON.parse(data));
    socket.onclose = ({ code, reason }) => socket === this._socket && this._closed(code, reason);
    this._watchSilence();
  }

  _disconnect() {
    const socket = this._socket;
    this._socket = null;
    Object.values(this._timers).forEach(clearTimeout);
    socket?.close();
    for (const { reject } of this._waiting.values()) reject(new Disconnected());
    this._waiting.clear();
  }

  /** @param {ToDriver} message */
  _receive(message) {
    this._watchSilence();
    if (message.type === 'ping') this._socket?.send(JSON.stringify({ type: 'pong', n: message.n }));
    else if (message.type === 'ack') this._answer(message.id, null);
    else if (message.type === 'error') this._answer(message.id, { code: message.code, detail: message.detail });
    else {
      if (message.type === 'welcome') this._welcomed();
      this.dispatchEvent(new CustomEvent('receive', { detail: message }));
    }
  }

  _welcomed() {
    this._timers.stable = setTimeout(() => (this._attempt = 0), STABLE);
    this._set('live');
  }

  /** @param {number|null} id @param {Answer} answer */
  _answer(id, answer) {
    if (id === null) return;
    this._waiting.get(id)?.resolve(answer);
    this._waiting.delete(id);
  }

  _watchSilence() {
    this._heardAt = Date.now();
    clearTimeout(this._timers.silent);
    this._timers.silent = setTimeout(() => this._closed(4104), SILENT);
  }

  /** @param {number} code @param {string} [reason] */
  _closed(code, reason) {
    this._disconnect();
    if (isFinal(code)) {
      this._stop();
      return this._set(ENDS[code] ?? 'refused');
    }
    const restarting = code === 1001 || code === 1012;
    this._set(this._environment.offline() ? 'offline' : restarting ? 'draining' : 'reconnecting');
    const delay = (restarting && retryAfterReason(reason)) || backOff(code, this._attempt, this._random);
    this._attempt += 1;
    this._timers.retry = setTimeout(() => this._connect(), delay);
  }

  _reconnectNow() {
    this._attempt = 0;
    this._set('reconnecting');
    this._connect();
  }

  _stop() {
    this._stopListening();
    this._disconnect();
  }

  /** @param {State} state */
  _set(state) {
    if (state === this.state) return;
    this.state = state;
    this.dispatchEvent(new Event('state'));
  }
}
