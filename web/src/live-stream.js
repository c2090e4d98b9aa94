/** LiveStream: a connection that reconnects by itself, over the best transport that works. Each kind reads its messages. */

import { ReconnectPolicy, TRANSPORTS } from './reconnect.js';
import { browser, headless } from './environment.js';

/** @typedef {import('../types/order.js').Message} Message */
/** @typedef {'connecting'|'live'|'quiet'|'reconnecting'|'offline'|'over'} Connection */
/** @typedef {import('../types/transport.js').Session} Session */
/** @typedef {import('../types/transport.js').Transport} Transport */
/**
 * @typedef {object} LiveOptions the last three are for tests
 * @property {Transport[]} transports from best to plainest
 * @property {ReconnectPolicy} [reconnect]
 * @property {import('./environment.js').Environment} [environment]
 * @property {Partial<typeof TIMEOUTS>} [timeouts]
 */

const TIMEOUTS = { // milliseconds
  quiet: 25_000, // of silence: send a ping
  silent: 45_000, // of silence: reconnect; the server sends something at least every 20 s
  first: 15_000, // for the first message of a connection
  rival: 4_000, // for the first message of a WebSocket, before events try beside it
  stable: 10_000, // of connection, after which the back-off starts small again
  firstProbe: 15_000, // after a fallback: the outage may have been short
  probe: 60_000, // between further probes
};

export class LiveStream extends EventTarget {
  /**
   * Connects in the next microtask, so that the caller can add listeners first.
   * @param {string} link the address below which the transports find their endpoints @param {LiveOptions} options
   */
  constructor(link, { transports, reconnect, environment = globalThis.document ? browser : headless, timeouts }) {
    super();
    this._link = link;
    this._transports = transports;
    this._reconnect = reconnect ?? new ReconnectPolicy(transports.length);
    this._environment = environment;
    this._timeouts = { ...TIMEOUTS, ...timeouts };
    this._visit = ''; // an id of this page load, if the service counts visits
    /** @type {Connection} */ this.connection = 'connecting';
    this._reported = ''; // the latest connection event
    this.lastHeard = 0; // time of the latest sign of life, milliseconds
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

  /** Disconnect for good. */
  close() {
    this._stop();
    this._setConnection('over', 1000);
  }

  get _isOver() {
    return this.connection === 'over';
  }

  /** Where the stream continues; empty: it begins with a snapshot. @returns {string} */
  get _cursor() {
    return '';
  }

  /** Read a message; each kind of stream has its own. @param {Message} message */
  _receive(message) {
    throw new Error(`unread: ${message.type}`);
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
    const session = this._transports[transport](this._link, this._cursor, {
      message: (message) => isCurrent() && handlers.message(message),
      alive: () => isCurrent() && handlers.alive(),
      closed: (code, retryAfter) => isCurrent() && handlers.closed(code, retryAfter),
    }, this._visit);
    return session;
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
