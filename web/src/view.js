/** OrderView: an order on the screen. Connects stream, state, card and map to the server's HTML. */

import { Acts } from './acts.js';
import { describe, newestPhoto } from './card.js';
import { MarkerMotion } from './marker-motion.js';
import { Unwrapper } from './antimeridian.js';
import { MapArea } from './map-area.js';
import { NoteBox } from './note-box.js';
import { Page } from './page.js';
import { ageIn, pill, pillTitle } from './pill.js';
import { ShareButton } from './share.js';
import { ServerClock, freshness, positionAge } from './state.js';
import { Times } from './times.js';
import { sinceTrail, trailBefore } from './trail.js';

/** @typedef {import('./path.js').LonLat} LonLat */
/** @typedef {import('../types/order.js').State} State */

const PREFERS_DARK = '(prefers-color-scheme: dark)';
const OUTDATED = 10_000; // milliseconds without contact, after which the card says so
const WIDE = 720; // pixels: from this width the card stands beside the map

export class OrderView {
  /**
   * @param {Document|ShadowRoot} root
   * @param {import('./stream.js').OrderStream} stream that has a state
   * @param {{words: import('./translations.js').Translations, service: string, link: string,
   *   onCard?: (card: import('./card.js').Card) => void}} options service: the base URL of map and tiles; link: to share
   */
  constructor(root, stream, { words, service, link, onCard = () => {} }) {
    this._page = new Page(root, words);
    this._words = words;
    this._stream = stream;
    this._service = service;
    this._onCard = onCard;
    this._reducedMotion = matchMedia('(prefers-reduced-motion: reduce)').matches;
    this._tracker = this._page.element('tracker');
    this._marker = this._page.element('marker'); // the map moves both elements
    this._pin = this._page.element('pin');
    this._pickup = this._page.element('pickup');
    this._notes = new NoteBox(this._page, (text) => stream.send(text));
    this._share = new ShareButton(this._page, link, () => this._page.element('headline').textContent ?? '');
    this._acts = new Acts(this._page, stream, () => this._map);
    this._clock = new ServerClock();
    this._motion = new MarkerMotion();
    this._unwrapper = new Unwrapper();
    this._announced = '';
    this._outdated = ''; // as announced
    /** @type {{zone: string|undefined, times: Times}|null} */ this._format = null;
    /** @type {LonLat[]} */ this._since = []; // the latest trail
    this._removed = new AbortController();
    this._dark = this._isDark();
    /** @type {MapArea|null} */ this._map = null;
    /** @type {State|null} */ this._drawn = null;
    this._listen();
    this.update();
    this._ticking = setInterval(() => this._tick(), 1000);
    this._sized = new ResizeObserver(() => this._resized());
    for (const id of ['tracker', 'card']) this._sized.observe(this._page.element(id));
    if (this._tracker.dataset.map !== 'off') this._openMap();
  }

  /** Stop all timers, listeners and the map. */
  remove() {
    this._removed.abort();
    clearInterval(this._ticking);
    this._sized.disconnect();
    this._map?.remove();
    this._map = null;
  }

  get _state() {
    return this._unwrapper.unwrap(/** @type {State} */ (this._stream.state));
  }

  _listen() {
    const { signal } = this._removed;
    this._stream.addEventListener('state', () => this.update(), { signal });
    this._stream.addEventListener('message', (event) => {
      const { text } = /** @type {CustomEvent<import('../types/order.js').Note>} */ (event).detail;
      this._notes.add('driver', text);
    }, { signal });
    this._stream.addEventListener('connection', () => {
      if (this._stream.connection === 'live') this._map?.retry();
      this._render();
    }, { signal });
    matchMedia(PREFERS_DARK).addEventListener('change', () => this.themed(), { signal });
    for (const id of ['recentre', 'edge']) {
      this._page.element(id).addEventListener('click', () => this._map?.recentre(), { signal });
    }
  }

  /** Draw the stream's current state. */
  update() {
    const { _state: state, _drawn: last } = this;
    this._drawn = state;
    this._clock.hear(state.now);
    if (state.route !== last?.route) this._motion.setRoute(state.route?.coordinates ?? null);
    if (state.position !== last?.position || !last) this._motion.receive(state.position);
    const drawn = this._since;
    this._since = sinceTrail(drawn, last, state);
    if (state.route !== last?.route || this._since !== drawn) this._drawLines();
    this._draw();
    if (!isSame(state.order.dropoff, last?.order.dropoff)) this._map?.setDestination(this._places()[0], this._pin);
    this._map?.setPickup(this._pickupPlace(), this._pickup);
    this._map?.keepInView(this._places());
    this._render();
  }

  _tick() {
    this._clock.hear(this._state.now);
    this._render();
    if (this._reducedMotion) this._draw();
  }

  /** Apply the current theme to the map. */
  themed() {
    const dark = this._isDark();
    if (dark === this._dark) return;
    this._dark = dark;
    this._map?.setDark(dark);
  }

  /** Whether the dark style sheet applies. */
  _isDark() {
    return matchMedia(/** @type {HTMLLinkElement} */ (this._page.element('dark')).media).matches;
  }

  // --- texts

  /** Write the card, which also changes with time alone. */
  _render() {
    const { connection, way } = this._stream;
    const fresh = this._fresh();
    const card = describe({ ...this._state, freshness: fresh }, this._clock.now(), this._words, this._times());
    const age = positionAge(this._state, this._clock.now()) ?? 0;
    const photo = newestPhoto(this._state);
    this._page.writeCard(card, this._state, photo && this._stream.addressOf(photo));
    this._marker.dataset.freshness = fresh;
    this._page.writePill(...pill(this._state, connection, fresh, age, this._words), pillTitle(connection, way, this._words));
    this._notes.allow(card.phase === 'moving' && connection !== 'over');
    this._acts.show(this._state, card.phase, connection === 'over');
    const outdated = this._sayOutdated();
    const news = [outdated, card.headline, card.late, card.reason, card.stops].filter(Boolean).join('. ');
    if (news !== this._announced) this._page.write('announcer', (this._announced = news));
    this._onCard(card);
  }

  /** Say on the card how old it is, once there has been no contact for a while. @returns {string} what to announce */
  _sayOutdated() {
    const { connection, lastHeard } = this._stream;
    const age = Date.now() - lastHeard;
    const isOutdated = connection !== 'live' && connection !== 'over' && age > OUTDATED;
    const text = isOutdated ? this._words.say('outdated', { age: ageIn(this._words, age) }) : '';
    this._page.write('outdated', text);
    this._outdated = text && (this._outdated || text); // once, not at each second
    return this._outdated;
  }

  /** By the destination's clock. */
  _times() {
    const zone = this._state.order.dropoff.time_zone;
    if (!this._format || this._format.zone !== zone) this._format = { zone, times: new Times(this._words, zone) };
    return this._format.times;
  }

  _fresh() {
    return freshness(this._state, this._clock.now(), this._stream.connection === 'live');
  }

  // --- map

  /** The places to keep in view: destination, courier and the route between them. @returns {LonLat[]} */
  _places() {
    const { order: { dropoff }, position } = this._state;
    const pickup = this._pickupPlace();
    if (!position) return [[dropoff.lon, dropoff.lat], ...(pickup ? [pickup] : [])];
    return [[dropoff.lon, dropoff.lat], [position.lon, position.lat], ...this._motion.remaining()];
  }

  /** Where the order comes from, until it is on its way. @returns {LonLat|null} */
  _pickupPlace() {
    const { pickup } = this._state.order;
    return pickup ? [pickup.lon, pickup.lat] : null;
  }

  _drawLines() {
    const { route, trail } = this._state;
    const { path } = this._motion;
    const driven = trailBefore(path, [...(trail?.coordinates ?? []), ...this._since]);
    this._map?.setLines(route?.coordinates ?? [], path?.length ?? 0, driven);
  }

  /** Draw the courier, also between two positions. Extrapolate only a live one. */
  _draw() {
    if (!this._map) return;
    const live = this._fresh() === 'live';
    const glide = !this._reducedMotion;
    const marker = this._motion.show(this._clock.now(), { reckon: live && glide, glide });
    this._map.setCourier(marker?.at ?? null, marker?.heading ?? 0, this._marker);
    this._map.setTravelled(marker?.along ?? 0);
  }

  _animate() {
    this._draw();
    if (!this._removed.signal.aborted) requestAnimationFrame(() => this._animate());
  }

  _openMap() {
    this._map = new MapArea(this._tracker, this._page.element('map'), {
      words: this._words,
      service: this._service,
      dark: this._dark,
      reducedMotion: this._reducedMotion,
      center: this._places()[0],
      padding: () => this._padding(),
      edge: this._page.element('edge'),
      onControl: (byUser) => (this._page.element('recentre').hidden = !byUser),
    });
    this._map.setDestination(this._places()[0], this._pin);
    this._map.setPickup(this._pickupPlace(), this._pickup);
    this._drawLines();
    this._map.keepInView(this._places(), true);
    this._page.element('first-sketch')?.remove();
    if (this._reducedMotion) this._draw();
    else this._animate();
  }

  /** Room for the card, the pill and the markers. */
  _padding() {
    const { clientWidth, clientHeight } = this._tracker;
    const card = this._page.element('card');
    if (clientWidth >= WIDE) {
      const beside = { top: 96, right: 72, bottom: 64, left: 72 };
      if (this._words.direction === 'rtl') return { ...beside, right: clientWidth - card.offsetLeft + 56 };
      return { ...beside, left: card.offsetLeft + card.offsetWidth + 56 };
    }
    const free = card.offsetTop; // above the sheet
    return { top: Math.min(110, free / 3), right: 48, bottom: clientHeight - free + Math.min(56, free / 8), left: 48 };
  }

  /** Keep the attribution above the sheet on small screens. */
  _resized() {
    const sheet = this._tracker.clientHeight - this._page.element('card').offsetTop;
    this._tracker.style.setProperty('--sheet', `${Math.round(sheet)}px`);
    this._map?.keepInView(this._places());
  }
}

/** @param {{lat: number, lon: number}} one @param {{lat: number, lon: number}|undefined} other */
function isSame(one, other) {
  return one.lat === other?.lat && one.lon === other.lon;
}
