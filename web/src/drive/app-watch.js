/** App watch: when the phone app last sent a position, as the service knows it. */

const EVERY = 10_000; // milliseconds

/** @typedef {{app: string, at: number|null, reason: string}} Seen at: milliseconds by the server's clock; reason: why it is silent */

export class AppWatch {
  /**
   * @param {string} service the service's base URL @param {string} token the driver's
   * @param {(seen: Seen) => unknown} onSeen
   */
  constructor(service, token, onSeen) {
    this._url = new URL('v1/drivers/me', service);
    this._headers = { Authorization: `Bearer ${token}` };
    this._onSeen = onSeen;
    /** @type {ReturnType<typeof setInterval>|undefined} */ this._timer = undefined;
    document.addEventListener('visibilitychange', () => document.hidden || !this._timer || this._look());
  }

  start() {
    this.stop();
    this._timer = setInterval(() => document.hidden || this._look(), EVERY);
    this._look();
  }

  stop() {
    clearInterval(this._timer);
    this._timer = undefined;
  }

  async _look() {
    const answer = await fetch(this._url, { headers: this._headers, cache: 'no-store' }).catch(() => null);
    if (!answer?.ok || !this._timer) return;
    const { driver: { device, last_fix: fix, silence } } = await answer.json();
    this._onSeen({ app: device?.app ?? '', at: fix ? Date.parse(fix.recorded_at) : null, reason: silence?.reason ?? '' });
  }
}
