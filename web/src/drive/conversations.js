/** Conversations: the notes about the driver's orders, stored, and each of them once. */

/** @typedef {import('../../types/driver.js').Action} Action */
/** @typedef {import('../../types/driver.js').AssignedOrder} AssignedOrder */
/** @typedef {import('../../types/driver.js').Note} Note */

export class Conversations {
  /** @param {Pick<import('./store.js').Store, 'notes'|'addNote'|'keepNotesOf'>} store */
  constructor(store) {
    this._store = store;
    /** @type {Note[]} oldest first within each order */ this.notes = [];
  }

  async load() {
    this.notes = await this._store.notes();
  }

  /**
   * Keep the conversations of these orders only, and add what the customers wrote meanwhile.
   * @param {Pick<AssignedOrder, 'id'|'notes'>[]} orders @returns {Promise<Note[]>} notes that are new here
   */
  async setOrders(orders) {
    await this._store.keepNotesOf(new Set(orders.map(({ id }) => id)));
    await this.load();
    const heard = orders.flatMap(({ id, notes = [] }) => notes.map((note) => this._ofCustomer(id, note)));
    return this._add(heard);
  }

  /** A note arrives. @param {{order_id: string, text: string, at: string}} note @returns {Promise<Note[]>} it, if it is new here */
  hear({ order_id: order, text, at }) {
    return this._add([this._ofCustomer(order, { text, at })]);
  }

  /** The service has this note of the driver. @param {Action} action */
  async sent({ order = '', text = '', at }) {
    await this._add([{ order, from: 'driver', text, at }]);
  }

  /** @param {string} order @param {{text: string, at: string}} note @returns {Note} */
  _ofCustomer(order, { text, at }) {
    return { order, from: 'customer', text, at };
  }

  /** @param {Note[]} notes @returns {Promise<Note[]>} those that were not here */
  async _add(notes) {
    const known = new Set(this.notes.map(key));
    const added = notes.filter((note) => !known.has(key(note)));
    for (const note of added) await this._store.addNote(note);
    if (added.length) await this.load();
    return added;
  }
}

/** What identifies a note, also in the store. @param {Note} note */
function key({ order, from, at }) {
  return `${order} ${at} ${from}`;
}
