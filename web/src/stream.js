/**
 * OrderStream: an order as it changes, over a connection that reconnects by itself.
 *
 *     const stream = new OrderStream('https://track.example/t/<token>');
 *     stream.addEventListener('state', ({ detail }) => console.log(detail.order.status, detail.eta?.arrives_at));
 *     stream.addEventListener('message', ({ detail }) => console.log('the courier says', detail.text));
 *     await stream.send('at the back door');
 *
 * Events, each with its `detail`: `snapshot` (the message), `state` (the whole State, after each change), `message`
 * ({from, text, at}), `end` ({reason}), `connection` ({connection, way, code}). Needs WebSocket, fetch and CustomEvent.
 */

import { ReconnectPolicy, TRANSPORTS } from './reconnect.js';
import { Sender, linkOf } from './link.js';
import { randomId } from './random-id.js';
import { begin, merge } from './state.js';
import { browser, headless } from './environment.js';
import { events, polling, webSocket } from './transports.js';

/** @typedef {import('../types/order.js').State} State */
/** @typedef {import('../types/order.js').Message} Message */
/** @typedef {'connecting'|'live'|'quiet'|'reconnecting'|'offline'|'over'} Connection */
/** @typedef {import('../types/transport.js').Session} Session */
/** @typedef {import('../types/transport.js').Transport} Transport */

const TIMEOUTS = { // milliseconds
  quiet: 25_000, // of silence: send a ping
  silent: 45_000, // of silence: reconnect; the server sends something at least every 20 s
  first: 15_000, // for the first message of a connection
  rival: 4_000, // for the first message of a WebSocket, before events try beside it
  stable: 10_000, // of connection, after which the back-off starts small again
  firstProbe: 15_000, // after a fallback: the outage may have been short
  probe: 60_000, // between further probes
};

const RECENT_NOTES = 20; // the service may send these again after a reconnect

export class OrderStream extends EventTarget {
  /**
   * Connects in the next microtask, so that the caller can add listeners first.
   * @param {string} url a tracking link, https://…/t/<token>
   * @param {{snapshot?: import('../types/order.js').Snapshot, transports?: Transport[], reconnect?: ReconnectPolicy,
   *   environment?: import('./environment.js').Environment, timeouts?: Partial<typeof TIMEOUTS>}} [options]
   *   snapshot: one that the caller already has; the others are for tests
   */
  constructor(url, options = {}) {
    super();
    const { snapshot, transports = [webSocket, events, polling], timeouts } = options;
    const { environment = globalThis.document ? browser : headless } = options;
    this._link = linkOf(url);
    this._transports = transports;
    this._reconnect = options.reconnect ?? new ReconnectPolicy(transports.length);
    this._environment = environment;
    this._timeouts = { ...TIMEOUTS, ...timeouts };
    /** @type {State|null} what is known of the order; replaced, never changed */
    this.state = snapshot ? begin(snapshot) : null;
    this._visit = randomId(); // the service counts each visit once
    /** @type {Record<string, Sender>} */ this._senders = {};
    this._hasReceived = false;
    /** @type {Connection} */ this.connection = 'connecting';
    this._reported = ''; // the latest connection event
    this.lastHeard = snapshot ? Date.now() : 0; // time of the latest sign of life, milliseconds
    this._unseen = ''; // the newest cursor that waits to be painted
    /** @type {string[]} */ this._recentNotes = [];
    /** @type {Session|null} */ this._session = null;
    /** @type {Session|null} */ this._trial = null; // of the next better transport
    /** @type {Session|null} */ this._rival = null; // of events, while a WebSocket has not answered
    /** @type {Record<string, ReturnType<typeof setTimeout>>} */ this._timers = {};
    this._stopListening = environment.listen({
      online: () => this._reconnectNow(),
      offline: () => this._setConnection('offline'),
      visible: () => this._becameVisible(),
    });
    environment.whenActivated(() => this._isOver || this._connect());
  }

  /** The transport in use. @returns {'websocket'|'events'|'polling'} */
  get way() {
    return TRANSPORTS[this._reconnect.current];
  }

  /**
   * Send a note to the driver, over HTTP, which answers each one.
   * @param {string} text
   * @returns {Promise<void>} resolves once the service has stored it; rejects with NotSent
   */
  send(text) {
    return this.act('messages', { text });
  }

  /**
   * Do what the shop lets its customers do.
   * @param {'messages'|'instructions'|'place'|'rating'} what @param {object} content as the API's
   * @returns {Promise<void>} resolves once the service has stored it; rejects with NotSent
   */
  act(what, content) {
    return (this._senders[what] ??= new Sender(this._link, what)).send(content);
  }

  /** The address of an image that proves the delivery. @param {string} id of a proof */
  addressOf(id) {
    return `${this._link}/proofs/${id}`;
  }

  /** Disconnect for good. */
  close() {
    this._stop();
    this._setConnection('over', 1000);
  }

  get _isOver() {
    return this.connection === 'over';
  }

  _connect() {
    this._disconnect();
    this._session = this._open(this._reconnect.current, {
      message: (message) => this._receive(message),
      alive: () => this._alive(),
      closed: (code, retryAfter) => (this._rival ? this._adopt() : this._closed(code, retryAfter)),
    });
    this._startTimer('silent', this._timeouts.first, () => this._closed(4104));
    if (this._reconnect.current === 0 && this._transports.length > 1) {
      this._startTimer('rival', this._timeouts.rival, () => this._openRival());
    }
  }

  /** Try events beside a WebSocket that does not answer; a proxy may hold it open. The first to answer stays. */
  _openRival() {
    const isMain = () => this._rival === null;
    this._rival = this._open(1, {
      message: (message) => (isMain() || this._adopt(), this._receive(message)),
      alive: () => (isMain() || this._adopt(), this._alive()),
      closed: (code, retryAfter) => (isMain() ? this._closed(code, retryAfter) : this._dropRival()),
    });
  }

  /** Continue with the rival. */
  _adopt() {
    this._session?.close();
    this._session = this._rival;
    this._rival = null;
    this._reconnect.fallBack();
  }

  _dropRival() {
    clearTimeout(this._timers.rival);
    this._rival?.close();
    this._rival = null;
  }

  /**
   * Open a session. Its handlers are called only while it is in use or on trial.
   * @param {number} transport index @param {import('../types/transport.js').Handlers} handlers @returns {Session}
   */
  _open(transport, handlers) {
    const isCurrent = () => [this._session, this._trial, this._rival].includes(session);
    // Before its first message the service may not have counted this visit, so send no cursor.
    const cursor = this._hasReceived ? this.state?.cursor ?? '' : '';
    const session = this._transports[transport](this._link, cursor, {
      message: (message) => isCurrent() && handlers.message(message),
      alive: () => isCurrent() && handlers.alive(),
      closed: (code, retryAfter) => isCurrent() && handlers.closed(code, retryAfter),
    }, this._visit);
    return session;
  }

  /** @param {Message} message */
  _receive(message) {
    this._hasReceived = true;
    this._alive();
    if (message.type === 'message' && this._isRepeated(message)) return;
    const before = this.state;
    this.state = message.type === 'snapshot' && !before ? begin(message) : before && merge(before, message);
    if (message.type === 'snapshot' || message.type === 'message') this._emit(message.type, message);
    if (message.type === 'end') this._end(message);
    else if (this.state !== before && message.type !== 'heartbeat') this._emit('state', this.state);
    if ('cursor' in message && message.cursor) this._reportSeen(message.cursor);
  }

  /** Notes are delivered at least once. @param {{at: string, text: string}} note */
  _isRepeated({ at, text }) {
    const note = `${at} ${text}`;
    if (this._recentNotes.includes(note)) return true;
    this._recentNotes = [...this._recentNotes, note].slice(-RECENT_NOTES);
    return false;
  }

  /** @param {{reason: string}} message */
  _end(message) {
    this._stop();
    this._emit('state', this.state);
    this._emit('end', { reason: message.reason });
    this._setConnection('over', message.reason === 'revoked' || message.reason === 'expired' ? 4011 : 1000);
  }

  /** Restart the timers of silence. */
  _alive() {
    this.lastHeard = Date.now();
    this._dropRival();
    this._reconnect.received();
    this._setConnection('live');
    this._startTimer('silent', this._timeouts.silent, () => this._closed(4104));
    this._startTimer('quiet', this._timeouts.quiet, () => {
      this._setConnection('quiet');
      this._session?.send({ type: 'ping', n: 1 });
    });
    if (!this._timers.stable) this._startTimer('stable', this._timeouts.stable, () => this._reconnect.resetBackOff());
    if (!this._timers.probe) this._probeAfter(this._timeouts.firstProbe);
  }

  /** Acknowledge the newest cursor once it has been painted. @param {string} cursor */
  _reportSeen(cursor) {
    const isWaiting = this._unseen !== '';
    this._unseen = cursor;
    if (isWaiting) return;
    this._environment.afterPaint(() => {
      this._session?.send({ type: 'seen', cursor: this._unseen });
      this._unseen = '';
    });
  }

  /** @param {number} code @param {number} [retryAfter] milliseconds */
  _closed(code, retryAfter) {
    this._disconnect();
    const delay = this._reconnect.closed(code, { offline: this._environment.offline(), retryAfter });
    if (delay === null) {
      this._stop();
      this._setConnection('over', code);
      return;
    }
    const keeps = this.connection === 'offline' || this.connection === 'connecting';
    this._setConnection(keeps ? this.connection : 'reconnecting', code);
    this._startTimer('reconnect', delay, () => this._connect());
  }

  // --- return to a better transport

  /** @param {number} milliseconds */
  _probeAfter(milliseconds) {
    if (this._reconnect.better !== null) this._startTimer('probe', milliseconds, () => this._probe());
  }

  /** Try the better transport beside the working one. Its first message only proves that it works. */
  _probe() {
    const { better } = this._reconnect;
    if (better === null) return;
    this._trial = this._open(better, {
      message: () => this._upgrade(),
      alive: () => this._upgrade(),
      closed: () => this._endTrial(),
    });
    this._startTimer('trial', this._timeouts.first, () => this._endTrial());
  }

  /** Open the better transport again at the newest cursor, so that no message is applied twice. */
  _upgrade() {
    this._reconnect.upgrade();
    this._connect();
  }

  _endTrial() {
    clearTimeout(this._timers.trial);
    this._trial?.close();
    this._trial = null;
    this._probeAfter(this._timeouts.probe);
  }

  // --- network and visibility

  _reconnectNow() {
    if (this._isOver) return;
    this._reconnect.reset();
    if (this.connection === 'offline') this._setConnection('reconnecting');
    this._connect();
  }

  /** After the device slept, timers are late and a connection that seems live may be dead. */
  _becameVisible() {
    if (this.connection !== 'live' || Date.now() - this.lastHeard > this._timeouts.quiet) this._reconnectNow();
  }

  // --- helpers

  _stop() {
    this._disconnect();
    this._stopListening();
  }

  _disconnect() {
    Object.values(this._timers).forEach(clearTimeout);
    this._timers = {};
    const sessions = [this._session, this._trial, this._rival];
    this._session = this._trial = this._rival = null;
    for (const session of sessions) session?.close();
  }

  /** @param {Connection} connection @param {number} [code] */
  _setConnection(connection, code = 0) {
    const report = `${connection} ${this.way}`;
    if (this._isOver || report === this._reported) return;
    this.connection = connection;
    this._reported = report;
    this._emit('connection', { connection, way: this.way, code });
  }

  /** @param {string} type @param {unknown} detail */
  _emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  /** @param {string} name @param {number} milliseconds @param {() => void} callback */
  _startTimer(name, milliseconds, callback) {
    clearTimeout(this._timers[name]);
    this._timers[name] = setTimeout(() => {
      delete this._timers[name];
      callback();
    }, milliseconds);
  }
}
