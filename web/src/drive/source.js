/**
 * Source: the phone's position while the page is visible.
 *
 * Browsers give a page no position while it is hidden or the screen is off, so a wake lock keeps the screen on.
 */

import { fixOf, isWanted } from './fixes.js';

/** @typedef {import('../../types/driver.js').Fix} Fix */
/** @typedef {'off'|'asking'|'on'|'denied'|'unavailable'|'insecure'} Status insecure: the page came without https */

const OPTIONS = { enableHighAccuracy: true, maximumAge: 0, timeout: 30_000 }; // milliseconds
const REFRESH = 20_000; // milliseconds: some browsers report nothing while the phone does not move

export class Source {
  /**
   * @param {(fix: Fix) => unknown} onFix
   * @param {() => unknown} onStatus called after each change of `status`
   */
  constructor(onFix, onStatus) {
    this._onFix = onFix;
    this._onStatus = onStatus;
    /** @type {Status} */ this.status = 'off';
    /** @type {Fix|null} */ this.last = null;
    this.policy = { interval_s: 5, min_move_m: 10 };
    /** @type {number|null} */ this._watch = null;
    /** @type {ReturnType<typeof setInterval>|undefined} */ this._refreshing = undefined;
    /** @type {ReturnType<typeof setTimeout>|undefined} */ this._looking = undefined;
    /** @type {WakeLockSentinel|null} */ this._lock = null;
    this._heardAt = 0;
    document.addEventListener('visibilitychange', () => this._watch !== null && this._wake());
  }

  /** Ask for the position. Browsers show their question only after a tap. */
  start() {
    this.stop();
    if (!isSecureContext) return this._set('insecure');
    if (!navigator.geolocation) return this._set('unavailable');
    this._set('asking');
    this._watch = navigator.geolocation.watchPosition((position) => this._receive(position), (error) => this._failed(error), OPTIONS);
    this._refreshing = setInterval(() => this._refresh(), REFRESH);
    this._wake();
  }

  stop() {
    if (this._watch !== null) navigator.geolocation.clearWatch(this._watch);
    clearInterval(this._refreshing);
    clearTimeout(this._looking);
    this._watch = null;
    this._lock?.release();
    this._lock = null;
    this._set('off');
  }

  /** @param {GeolocationPosition} position */
  _receive(position) {
    this._heardAt = Date.now();
    this._set('on');
    const fix = fixOf(position);
    if (!isWanted(this.last, fix, this.policy)) return this._lookLater(fix);
    this.last = fix;
    this._onFix(fix);
  }

  /** A position came too early. Browsers that report only changes send no other one. @param {Fix} early */
  _lookLater(early) {
    clearTimeout(this._looking);
    const due = Date.parse(this.last?.recorded_at ?? early.recorded_at) + this.policy.interval_s * 1000;
    if (due > Date.parse(early.recorded_at)) this._looking = setTimeout(() => this._look(), due - Date.now());
  }

  /** @param {GeolocationPositionError} error */
  _failed(error) {
    if (error.code === error.PERMISSION_DENIED) this._set('denied');
    else if (this.status !== 'on') this._set('unavailable');
  }

  _refresh() {
    if (Date.now() - this._heardAt >= REFRESH) this._look();
  }

  _look() {
    if (document.hidden || this._watch === null) return;
    navigator.geolocation.getCurrentPosition((position) => this._receive(position), (error) => this._failed(error), OPTIONS);
  }

  /** Keep the screen on. Browsers release the lock whenever the page is hidden, and some have none. */
  async _wake() {
    if (document.hidden) return;
    this._lock = (await navigator.wakeLock?.request('screen').catch(() => null)) ?? null;
    if (this._watch === null) this._lock?.release();
  }

  /** @param {Status} status */
  _set(status) {
    if (status === this.status) return;
    this.status = status;
    this._onStatus();
  }
}
