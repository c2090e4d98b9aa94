/** Apps: how to open the phone app that sends the position. Pure. */

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
