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

import { Sender, linkOf } from './link.js';
import { LiveStream } from './live-stream.js';
import { randomId } from './random-id.js';
import { begin, merge } from './state.js';
import { events, polling, webSocket } from './transports.js';

/** @typedef {import('../types/order.js').State} State */
/** @typedef {import('../types/order.js').Message} Message */
/** @typedef {import('./live-stream.js').Connection} Connection */

const RECENT_NOTES = 20; // the service may send these again after a reconnect

export class OrderStream extends LiveStream {
  /**
   * Connects in the next microtask, so that the caller can add listeners first.
   * @param {string} url a tracking link, https://…/t/<token>
   * @param {Partial<import('./live-stream.js').LiveOptions> & {snapshot?: import('../types/order.js').Snapshot}} [options]
   *   snapshot: one that the caller already has; the others are for tests
   */
  constructor(url, { snapshot, ...options } = {}) {
    super(linkOf(url), { transports: [webSocket, events, polling], ...options });
    /** @type {State|null} what is known of the order; replaced, never changed */
    this.state = snapshot ? begin(snapshot) : null;
    /** @type {Record<string, Sender>} */ this._senders = {};
    this._hasReceived = false;
    this._visit = randomId(); // the service counts each visit once
    this.lastHeard = snapshot ? Date.now() : 0;
    this._unseen = ''; // the newest cursor that waits to be painted
    /** @type {string[]} */ this._recentNotes = [];
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

  /** Before its first message the service may not have counted this visit, so send no cursor. */
  get _cursor() {
    return this._hasReceived ? this.state?.cursor ?? '' : '';
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
}
