/** Duties: what a driver does at the moment, in one word. Pure. */

/** @typedef {import('../../../types/fleet.js').FleetDriver} FleetDriver */
/** @typedef {'silent'|'busy'|'free'|'break'|'off'} Duty */

export const DUTIES = /** @type {const} */ (['silent', 'busy', 'free', 'break', 'off']); // in the sequence of the list

/** @param {FleetDriver} driver @returns {Duty} */
export function dutyOf(driver) {
  if (!driver.duty?.on) return 'off';
  if (driver.silence) return 'silent';
  if (driver.duty.on_break) return 'break';
  return driver.orders.length ? 'busy' : 'free';
}

/** @param {Iterable<FleetDriver>} drivers @returns {Record<Duty, number>} */
export function countDuties(drivers) {
  const counts = { silent: 0, busy: 0, free: 0, break: 0, off: 0 };
  for (const driver of drivers) counts[dutyOf(driver)] += 1;
  return counts;
}
