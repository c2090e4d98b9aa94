/**
 * OrderStream: an order as it changes, over a connection that comes back by itself.
 *
 *     const stream = new OrderStream('https://track.example/t/<token>');
 *     stream.addEventListener('state', ({ detail }) => console.log(detail.order.status, detail.eta?.arrives_at));
 *     stream.addEventListener('message', ({ detail }) => console.log('the courier says', detail.text));
 *     await stream.send('at the back door');
 *
 * Events, each with its `detail`: `snapshot` (the message), `state` (the State, whole, after each change),
 * `message` ({from, text, at}), `end` ({reason}), `connection` ({connection, way, code}). Runs wherever WebSocket, fetch and CustomEvent are.
 */

import { Ladder, WAYS } from './reconnect.js';
import { linkOf, sendNote } from './link.js';
import { begin, merge } from './state.js';
import { anywhere, browser } from './environment.js';
import { events, polling, webSocket } from './transports.js';

/** @typedef {import('./state.js').State} State */
/** @typedef {'connecting'|'live'|'quiet'|'reconnecting'|'offline'|'over'} Connection */
/** @typedef {import('./transports.js').Line} Line */
/** @typedef {import('./transports.js').Way} Way */

const TIMES = { // milliseconds
  quiet: 25_000, // of silence: ask whether anybody is there
  silent: 45_000, // of silence: give it up; the server speaks every 20 s at most
  first: 15_000, // for the first message of a connection
  steady: 10_000, // of connection that make earlier failures forgotten
  probeSoon: 15_000, // after falling back: the outage may have been short
  probe: 60_000, // from then on
};

const WORDS = 20; // that the service may repeat after a cut

/** @returns {string} that nobody else has */
function name() {
  return [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

export class OrderStream extends EventTarget {
  /**
   * Connects by itself once the caller has had time to listen.
   * @param {string} url a tracking link, https://…/t/<token>
   * @param {{snapshot?: object, ways?: Way[], ladder?: Ladder, surroundings?: import('./environment.js').Surroundings,
   *   times?: Partial<typeof TIMES>}} [options] snapshot: one that is known already; the others are for tests
   */
  constructor(url, options = {}) {
    super();
    const { snapshot, ways = [webSocket, events, polling], times } = options;
    const { surroundings = globalThis.document ? browser : anywhere } = options;
    this._link = linkOf(url);
    this._ways = ways;
    this._ladder = options.ladder ?? new Ladder(ways.length);
    this._surroundings = surroundings;
    this._times = { ...TIMES, ...times };
    /** @type {State|null} what is known of the order; replaced, never changed */
    this.state = snapshot ? begin(snapshot) : null;
    this._visit = name(); // of this load of the page, by whichever way it gets through
    this._heardOnce = false;
    /** @type {Connection} */ this.connection = 'connecting';
    this._heard = 0; // when anything was heard last
    this._shown = ''; // the newest cursor that waits to be seen
    /** @type {string[]} */ this._words = []; // heard last
    /** @type {Line|null} */ this._line = null;
    /** @type {Line|null} */ this._trial = null;
    /** @type {Record<string, ReturnType<typeof setTimeout>>} */ this._timers = {};
    this._deaf = surroundings.listen({
      online: () => this._hurry(),
      offline: () => this._tell('offline'),
      looked: () => this._lookedAt(),
    });
    surroundings.whenOpened(() => this._over || this._connect());
  }

  /** By which way it is connected, or tries to be. @returns {'websocket'|'events'|'polling'} */
  get way() {
    return WAYS[this._ladder.rung];
  }

  /**
   * A note to the driver. Over HTTP and not over the stream, as there is an answer to each.
   * @param {string} text
   * @returns {Promise<void>} once the service has it; rejects with NotSent
   */
  send(text) {
    return sendNote(this._link, text);
  }

  /** Ends it for good. */
  close() {
    this._stop();
    this._tell('over', 1000);
  }

  get _over() {
    return this.connection === 'over';
  }

  _connect() {
    this._hangUp();
    this._line = this._open(this._ladder.rung, {
      message: (message) => this._hear(message),
      alive: () => this._alive(),
      closed: (code, wish) => this._closed(code, wish),
    });
    this._after('silent', this._times.first, () => this._closed(4104));
  }

  /**
   * A line whose ears fall silent once it is neither in use nor on trial.
   * @param {number} rung @param {import('./transports.js').Ears} ears @returns {Line}
   */
  _open(rung, ears) {
    const current = () => line === this._line || line === this._trial;
    // Until the service has said something, it may not have counted this opening: it does without a cursor.
    const cursor = this._heardOnce ? this.state?.cursor ?? '' : '';
    const line = this._ways[rung](this._link, cursor, {
      message: (message) => current() && ears.message(message),
      alive: () => current() && ears.alive(),
      closed: (code, wish) => current() && ears.closed(code, wish),
    }, this._visit);
    return line;
  }

  /** @param {any} message */
  _hear(message) {
    this._heardOnce = true;
    this._alive();
    if (message.type === 'message' && this._heardBefore(message)) return;
    const before = this.state;
    this.state = message.type === 'snapshot' && !before ? begin(message) : before && merge(before, message);
    if (message.type === 'snapshot' || message.type === 'message') this._emit(message.type, message);
    if (message.type === 'end') this._end(message);
    else if (this.state !== before && message.type !== 'heartbeat') this._emit('state', this.state);
    if (message.cursor) this._see(message.cursor);
  }

  /** Words come at least once, and again after a cut. @param {{at: string, text: string}} message */
  _heardBefore({ at, text }) {
    const word = `${at} ${text}`;
    if (this._words.includes(word)) return true;
    this._words = [...this._words, word].slice(-WORDS);
    return false;
  }

  /** @param {{reason: string}} message */
  _end(message) {
    this._stop();
    this._emit('state', this.state);
    this._emit('end', { reason: message.reason });
    this._tell('over', message.reason === 'revoked' || message.reason === 'expired' ? 4011 : 1000);
  }

  /** Somebody is there: the clocks of silence are wound again. */
  _alive() {
    this._heard = Date.now();
    this._ladder.works();
    this._tell('live');
    this._after('silent', this._times.silent, () => this._closed(4104));
    this._after('quiet', this._times.quiet, () => {
      this._tell('quiet');
      this._line?.send({ type: 'ping', n: 1 });
    });
    if (!this._timers.steady) this._after('steady', this._times.steady, () => this._ladder.steady());
    if (!this._timers.probe) this._probeAfter(this._times.probeSoon);
  }

  /** Tells what has been on the screen, the newest only. @param {string} cursor */
  _see(cursor) {
    const waiting = this._shown !== '';
    this._shown = cursor;
    if (waiting) return;
    this._surroundings.whenShown(() => {
      this._line?.send({ type: 'seen', cursor: this._shown });
      this._shown = '';
    });
  }

  /** @param {number} code @param {number} [wish] milliseconds */
  _closed(code, wish) {
    this._hangUp();
    const pause = this._ladder.ended(code, { offline: this._surroundings.offline(), wish });
    if (pause === null) {
      this._stop();
      this._tell('over', code);
      return;
    }
    const said = ['offline', 'connecting'].includes(this.connection) ? this.connection : 'reconnecting';
    this._tell(said, code);
    this._after('again', pause, () => this._connect());
  }

  // --- back up

  /** @param {number} milliseconds */
  _probeAfter(milliseconds) {
    if (this._ladder.above !== null) this._after('probe', milliseconds, () => this._probe());
  }

  /** Tries the way above beside the one that works; whatever the trial says first only proves that it can. */
  _probe() {
    const above = this._ladder.above;
    if (above === null) return;
    this._trial = this._open(above, {
      message: () => this._climb(),
      alive: () => this._climb(),
      closed: () => this._giveUp(),
    });
    this._after('trial', this._times.first, () => this._giveUp());
  }

  /** The way above works: it is opened anew at the newest cursor, so that nobody reads twice. */
  _climb() {
    this._ladder.climb();
    this._connect();
  }

  _giveUp() {
    clearTimeout(this._timers.trial);
    this._trial?.close();
    this._trial = null;
    this._probeAfter(this._times.probe);
  }

  // --- the surroundings

  /** The network is back. */
  _hurry() {
    if (this._over) return;
    this._ladder.anew();
    if (this.connection === 'offline') this._tell('reconnecting');
    this._connect();
  }

  /** After a sleep the timers may be late, and what seems live is long dead. */
  _lookedAt() {
    if (this.connection !== 'live' || Date.now() - this._heard > this._times.quiet) this._hurry();
  }

  // --- below

  _stop() {
    this._hangUp();
    this._deaf();
  }

  _hangUp() {
    Object.values(this._timers).forEach(clearTimeout);
    this._timers = {};
    const lines = [this._line, this._trial];
    this._line = this._trial = null;
    for (const line of lines) line?.close();
  }

  /** @param {Connection} connection @param {number} [code] */
  _tell(connection, code = 0) {
    const told = `${connection} ${this.way}`;
    if (this._over || told === this._told) return;
    this.connection = connection;
    this._told = told;
    this._emit('connection', { connection, way: this.way, code });
  }

  /** @param {string} type @param {unknown} detail */
  _emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  /** @param {string} name @param {number} milliseconds @param {() => void} act */
  _after(name, milliseconds, act) {
    clearTimeout(this._timers[name]);
    this._timers[name] = setTimeout(() => {
      delete this._timers[name];
      act();
    }, milliseconds);
  }
}
