/** Apps: how to set up and open the phone app that sends the position. Pure. */

/** @typedef {{name: string, href: string}} AppLink */

/** @type {Record<string, {scheme: string, android: string}>} by the beginning of the name that the app reports */
const APPS = {
  OwnTracks: { scheme: 'owntracks', android: 'org.owntracks.android' },
  Overland: { scheme: 'overland', android: '' },
  'Traccar Client': { scheme: 'org.traccar.client', android: 'org.traccar.client' },
  Colota: { scheme: 'colota', android: 'com.Colota' },
  GPSLogger: { scheme: 'gpslogger', android: 'com.mendhak.gpslogger' },
  OsmAnd: { scheme: 'osmandmaps', android: 'net.osmand' },
};

/** @param {string|null|undefined} reported name and version @returns {string} the app's name; empty if unknown */
export function appName(reported) {
  return Object.keys(APPS).find((name) => reported?.startsWith(name)) ?? reported?.split('/')[0] ?? '';
}

/**
 * @param {string} name as `appName` returns it @param {string} agent the browser's user agent
 * @returns {string|null} a link that opens the app; on Android, the store if it is not installed
 */
export function openLink(name, agent) {
  const app = APPS[name];
  if (!app) return null;
  if (!/Android/.test(agent)) return `${app.scheme}:///`;
  return app.android ? `intent:///#Intent;scheme=${app.scheme};package=${app.android};end` : null;
}

/** @type {{name: string, field: string, system: RegExp}[]} */
const SET_UP = [
  { name: 'OwnTracks', field: 'owntracks', system: /./ },
  { name: 'Traccar Client', field: 'traccar_client', system: /./ },
  { name: 'Overland', field: 'overland', system: /iPhone|iPad|Mac/ },
  { name: 'Colota', field: 'colota', system: /Android/ },
];

/**
 * Links that give an app its settings. They hold the driver's token, so they are for this phone only.
 * @param {Record<string, {setup_url?: string}|null>|undefined} setup of the service
 * @param {string} [agent] the browser's user agent
 * @returns {AppLink[]} for this phone's system
 */
export function setUpLinks(setup, agent = globalThis.navigator?.userAgent ?? '') {
  return SET_UP.filter(({ field, system }) => setup?.[field]?.setup_url && system.test(agent))
    .map(({ name, field }) => ({ name, href: String(setup?.[field]?.setup_url) }));
}
