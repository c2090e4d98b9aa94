/** The customer's page: joins the stream, the state, the card and the map. */

import { describe, lastSeen } from './card.js';
import { Follower } from './follower.js';
import { element, write, writeCard, writePill } from './page.js';
import { OrderStream } from './stream.js';
import { ServerClock, begin, freshness, merge, positionAge } from './state.js';
import { before } from './trail.js';

/** @typedef {import('./path.js').LonLat} LonLat */

const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
const darkness = matchMedia('(prefers-color-scheme: dark)');
const page = document.documentElement.dataset;
const times = new Intl.DateTimeFormat(navigator.languages.slice(), { hour: '2-digit', minute: '2-digit' });
const timeOfDay = (/** @type {string} */ time) => times.format(new Date(time));

const marker = element('marker'); // the map takes both out of the page and in again
const pin = element('pin');
const clock = new ServerClock();
const follower = new Follower();
let state = begin(JSON.parse(element('snapshot').textContent ?? ''));
/** @type {import('./stream.js').Connection} */
let connection = 'connecting';
/** @type {import('./map.js').MapView|null} */
let map = null;
let announced = '';

clock.hear(state.now);
const stream = new OrderStream(`${location.origin.replace(/^http/, 'ws')}/v1/track/${page.token}/stream`, {
  onMessage: hear,
  onConnection: (now) => {
    if (now === connection) return;
    connection = now;
    if (now === 'live') map?.retry();
    render();
  },
});

/** @param {any} message */
function hear(message) {
  if (message.now) clock.hear(message.now);
  const last = state;
  state = merge(state, message);
  if (state !== last && message.type !== 'heartbeat') follow(last);
  render();
  if (message.cursor) requestAnimationFrame(() => stream.seen(message.cursor));
}

/** @param {typeof state | null} last */
function follow(last) {
  if (state.route !== last?.route) follower.setRoute(state.route?.coordinates ?? null);
  if (state.position !== last?.position || !last) follower.receive(state.position);
  if (map && (state.route !== last?.route || state.trail !== last?.trail)) drawLines();
  draw();
  map?.keepInView(places());
}

function drawLines() {
  const route = state.route?.coordinates ?? [];
  map?.setLines(route, follower.path?.length ?? 0, before(follower.path, state.trail?.coordinates ?? []));
}

/** What should be seen: the destination, the courier and the way between them. @returns {LonLat[]} */
function places() {
  const { dropoff } = state.order;
  const { position } = state;
  if (!position) return [[dropoff.lon, dropoff.lat]];
  return [[dropoff.lon, dropoff.lat], [position.lon, position.lat], ...follower.remaining()];
}

function fresh() {
  return freshness(state, clock.now(), connection === 'live');
}

/** The words; time alone changes them too. */
function render() {
  const card = describe(state, clock.now(), timeOfDay);
  writeCard(card, state);
  const age = fresh();
  marker.dataset.freshness = age;
  writePill(...pill(age));
  const news = [card.headline, card.stops, state.note?.text ?? ''].filter(Boolean).join('. ');
  if (news !== announced) write('announcer', (announced = news));
}

/** @param {string} age @returns {[string, string]} */
function pill(age) {
  const over = connection === 'over' && (state.ended || state.visibility === 'ended');
  if (over) return ['over', 'Ended'];
  if (connection === 'over') return ['offline', 'Not connected'];
  if (connection === 'offline') return ['offline', 'Offline'];
  if (connection === 'connecting') return ['waiting', 'Connecting…'];
  if (connection !== 'live') return ['waiting', 'Reconnecting…'];
  if (age === 'stale' || age === 'lost') return ['stale', lastSeen(positionAge(state, clock.now()) ?? 0)];
  return ['live', 'Live'];
}

/** The courier, between two positions too. */
function draw() {
  if (!map) return;
  const live = fresh() === 'live';
  const shown = follower.show(clock.now(), { reckon: live && !still, glide: !still });
  map.setCourier(shown?.at ?? null, shown?.heading ?? 0, marker);
  map.setTravelled(shown?.along ?? 0);
}

function animate() {
  draw();
  requestAnimationFrame(animate);
}

/** Room for the card, the pill and the marks themselves. */
function padding() {
  const sheet = element('card').getBoundingClientRect();
  const wide = matchMedia('(min-width: 720px)').matches;
  return wide
    ? { top: 96, right: 72, bottom: 64, left: sheet.right + 56 }
    : { top: 110, right: 48, bottom: innerHeight - sheet.top + 56, left: 48 };
}

async function openMap() {
  const { MapView } = await import('./map.js');
  map = new MapView(element('map'), {
    styleUrl: (dark) => `/map/style.json?theme=${dark ? 'dark' : 'light'}`,
    dark: darkness.matches,
    still,
    center: places()[0],
    padding,
    onTaken: (taken) => (element('recentre').hidden = !taken),
  });
  darkness.addEventListener('change', () => map?.setDark(darkness.matches));
  element('recentre').addEventListener('click', () => map?.recentre());
  map.setDestination(places()[0], pin);
  drawLines();
  map.keepInView(places(), true);
  if (!still) animate();
  else draw();
}

/** The attribution stays above the sheet on small screens. */
function measure() {
  const sheet = element('card').getBoundingClientRect();
  document.documentElement.style.setProperty('--sheet', `${Math.round(innerHeight - sheet.top)}px`);
}

addEventListener('online', () => stream.hurry());
addEventListener('offline', () => stream.lose());
addEventListener('pageshow', (event) => event.persisted && stream.hurry());
document.addEventListener('visibilitychange', () => {
  if (!document.hidden && connection !== 'live') stream.hurry();
});
new ResizeObserver(() => {
  measure();
  map?.keepInView(places());
}).observe(element('card'));

follow(null);
render();
setInterval(() => {
  render();
  if (still) draw();
}, 1000);
stream.start(state.cursor);
openMap().catch((error) => {
  console.warn('The map cannot be shown:', error);
  document.documentElement.dataset.map = 'none';
});
