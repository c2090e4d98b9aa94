/**
 * Device: what this phone says about its battery, permission and network.
 *
 * It does not name the page as `app`, so that the name of a phone app beside it stays.
 */

/** @typedef {{battery?: number, charging?: boolean, permission?: string, network?: string}} Report */
/** @typedef {EventTarget & {level: number, charging: boolean}} Battery */

/**
 * @param {import('./source.js').Status} status of the position
 * @returns {Promise<Report>} without what this browser does not say
 */
export async function deviceReport(status) {
  const { getBattery, connection } = /** @type {Navigator & {getBattery?: () => Promise<Battery>,
    connection?: {type?: string, effectiveType?: string}}} */ (navigator);
  const battery = await getBattery?.call(navigator).catch(() => null);
  const permission = status === 'denied' ? 'denied' : status === 'on' ? 'while_using' : undefined;
  return {
    ...(battery && { battery: battery.level, charging: battery.charging }),
    permission,
    network: connection?.type ?? connection?.effectiveType,
  };
}
