/** Searches: what the fields of orders suggest: addresses of the map, and drivers of the fleet. */

/** @typedef {import('./combobox.js').Option} Option */
/** @typedef {import('../board.js').Board} Board */

const RESULTS = 6;

/**
 * @param {Board} board @param {() => {lat: number, lon: number}|null} near such as the shop
 * @returns {(text: string) => Promise<Option[]>} values are `{address, lat, lon, precision}`
 */
export function addressSearch(board, near) {
  return async (text) => {
    const place = near();
    const query = new URLSearchParams({ q: text.slice(0, 200), limit: String(RESULTS), ...(place ? { near: `${place.lat},${place.lon}` } : {}) });
    const { items } = await board.api.get(`v1/geocode?${query}`);
    return items.map((/** @type {{address: string, precision: string}} */ value) => ({
      text: value.address, detail: value.precision === 'house' ? '' : board.words.say(`precision.${value.precision}`), value,
    }));
  };
}

/** @param {Board} board @returns {(text: string) => Promise<Option[]>} values are ids */
export function driverSearch(board) {
  return async (text) => {
    const wanted = text.toLowerCase();
    const found = [...board.fleet.drivers.values()].filter(({ name }) => name.toLowerCase().includes(wanted));
    return found.slice(0, RESULTS).map(({ id, name, duty }) => ({ text: name, detail: duty.on ? '' : board.words.say('driver.off'), value: id }));
  };
}
