/** FleetStream: the fleet as it changes. Events: `change` (a Change), `connection` ({connection, way, code}). */

import { LiveStream } from '../../live-stream.js';
import { ServerClock } from '../../state.js';
import { eventsWith, webSocket } from '../../transports.js';
import { Fleet } from './fleet.js';

/** @typedef {[number, number, number, number]} Box west, south, east, north in degrees */
/** @typedef {import('../../../types/fleet.js').FleetMessage} FleetMessage */

export class FleetStream extends LiveStream {
  /**
   * @param {string} service the base URL of the service, whose cookie the browser sends
   * @param {Partial<import('../../live-stream.js').LiveOptions>} [options] for tests
   */
  constructor(service, options = {}) {
    super(`${service}/v1/fleet`, { transports: [webSocket, eventsWith('same-origin')], ...options });
    this.fleet = new Fleet();
    this.clock = new ServerClock();
    /** @type {Box|null} */ this._box = null;
    /** @type {unknown} */ this._told = null; // the session that knows the box
  }

  /** Ask for positions in this area only. @param {Box|null} box null: everywhere */
  look(box) {
    if (String(box) === String(this._box)) return;
    this._box = box;
    if (this._told) this._tell();
  }

  _tell() {
    this._told = this._session;
    this._session?.send({ type: 'viewport', bbox: this._box });
  }

  /** @param {import('../../../types/order.js').Message} raw */
  _receive(raw) {
    const message = /** @type {FleetMessage} */ (/** @type {unknown} */ (raw));
    this._alive();
    if ('now' in message) this.clock.hear(message.now);
    if (this._box && this._told !== this._session) this._tell();
    this._told ??= this._session;
    const change = this.fleet.apply(message);
    if (change) this._emit('change', change);
  }
}
