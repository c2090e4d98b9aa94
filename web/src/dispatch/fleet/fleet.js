/** Fleet: every driver and every open order, merged from the stream's messages. Pure. */

/** @typedef {import('../../../types/fleet.js').FleetDriver} FleetDriver */
/** @typedef {import('../../../types/fleet.js').FleetOrder} FleetOrder */
/** @typedef {import('../../../types/fleet.js').FleetMessage} FleetMessage */
/** @typedef {import('../../../types/fleet.js').FleetSnapshot} FleetSnapshot */
/** @typedef {import('../../../types/fleet.js').FleetUpdate} FleetUpdate */
/** @typedef {import('../../../types/fleet.js').Change} Change */

/** @returns {Change} */
export function nothing() {
  return { whole: false, drivers: new Set(), orders: new Set() };
}

export class Fleet {
  constructor() {
    /** @type {Map<string, FleetDriver>} */ this.drivers = new Map();
    /** @type {Map<string, FleetOrder>} */ this.orders = new Map();
    this.complete = false; // whether a whole snapshot has arrived
    /** @type {{drivers: Map<string, FleetDriver>, orders: Map<string, FleetOrder>}|null} */ this._coming = null;
  }

  /** @param {FleetMessage} message @returns {Change|null} null: nothing to show */
  apply(message) {
    if (message.type === 'snapshot') return this._replace(message);
    return message.type === 'update' ? this._update(message) : null;
  }

  /** @param {string|null|undefined} id @returns {FleetDriver|null} */
  driver(id) {
    return (id && this.drivers.get(id)) || null;
  }

  /** The parts of a snapshot are shown together, so that a list does not empty while they arrive. @param {FleetSnapshot} part */
  _replace(part) {
    if (part.first || !this._coming) this._coming = { drivers: new Map(), orders: new Map() };
    for (const driver of part.drivers) this._coming.drivers.set(driver.id, driver);
    for (const order of part.orders) this._coming.orders.set(order.id, order);
    if (!part.last) return null;
    ({ drivers: this.drivers, orders: this.orders } = this._coming);
    this._coming = null;
    this.complete = true;
    return { ...nothing(), whole: true };
  }

  /** @param {FleetUpdate} update @returns {Change} */
  _update(update) {
    const { drivers, orders } = this._coming ?? this;
    const change = nothing();
    for (const driver of update.drivers) {
      drivers.set(driver.id, /** @type {FleetDriver} */ ({ ...drivers.get(driver.id), ...driver }));
      change.drivers.add(driver.id);
    }
    for (const order of update.orders) orders.set(order.id, order);
    for (const id of update.gone_drivers) drivers.delete(id);
    for (const id of update.gone_orders) orders.delete(id);
    for (const id of [...update.orders.map((order) => order.id), ...update.gone_orders]) change.orders.add(id);
    for (const id of update.gone_drivers) change.drivers.add(id);
    return change;
  }
}
