/** Store: what the page keeps in IndexedDB, so that nothing is lost by a reload or without a network. */

/** @typedef {import('../../types/driver.js').Action} Action */
/** @typedef {import('../../types/driver.js').Fix} Fix */
/** @typedef {import('../../types/driver.js').Note} Note */

const NAME = 'drive';
const STORES = ['settings', 'actions', 'fixes', 'notes'];

/** @template T @param {IDBRequest<T>} request @returns {Promise<T>} */
function result(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** @param {IDBTransaction} transaction @returns {Promise<void>} resolves once it is on the disk */
function committed(transaction) {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = transaction.onerror = () => reject(transaction.error);
  });
}

export class Store {
  /** @param {IDBDatabase} database */
  constructor(database) {
    this._database = database;
  }

  /** @returns {Promise<Store>} rejects if the browser stores nothing */
  static async open() {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore('settings');
      request.result.createObjectStore('actions', { keyPath: 'seq', autoIncrement: true });
      request.result.createObjectStore('fixes', { keyPath: 'recorded_at' });
      request.result.createObjectStore('notes', { keyPath: ['order', 'at', 'from'] });
    };
    return new Store(await result(request));
  }

  /** @param {string} name @returns {Promise<any>} undefined if it is not set */
  setting(name) {
    return result(this._read('settings').get(name));
  }

  /** @param {string} name @param {unknown} value */
  async set(name, value) {
    await this._write('settings', (store) => store.put(value, name));
  }

  /** @returns {Promise<Action[]>} oldest first */
  actions() {
    return result(this._read('actions').getAll());
  }

  /** Add an action, or replace the one with its `seq`. @param {Action} action */
  async putAction(action) {
    await this._write('actions', (store) => store.put(action));
  }

  /** @param {number} seq */
  async deleteAction(seq) {
    await this._write('actions', (store) => store.delete(seq));
  }

  /** @param {Fix} fix */
  async addFix(fix) {
    await this._write('fixes', (store) => store.put(fix));
  }

  /** @returns {Promise<number>} */
  countFixes() {
    return result(this._read('fixes').count());
  }

  /** @param {number} limit @returns {Promise<Fix[]>} oldest first */
  oldestFixes(limit) {
    return result(this._read('fixes').getAll(null, limit));
  }

  /** @returns {Promise<Fix|null>} */
  async newestFix() {
    const cursor = await result(this._read('fixes').openCursor(null, 'prev'));
    return cursor?.value ?? null;
  }

  /** @param {string[]} times */
  async deleteFixes(times) {
    await this._write('fixes', (store) => times.forEach((time) => store.delete(time)));
  }

  /** @returns {Promise<Note[]>} oldest first within each order */
  notes() {
    return result(this._read('notes').getAll());
  }

  /** @param {Note} note */
  async addNote(note) {
    await this._write('notes', (store) => store.put(note));
  }

  /** Forget the conversations of other orders. @param {Set<string>} orders ids of those to keep */
  async keepNotesOf(orders) {
    const gone = (await this.notes()).filter((note) => !orders.has(note.order));
    await this._write('notes', (store) => gone.forEach(({ order, at, from }) => store.delete([order, at, from])));
  }

  /** Forget the driver's access and everything about customers; what is not sent yet stays. */
  async forgetOrders() {
    for (const name of ['token', 'apps', 'orders']) await this.set(name, undefined);
    await this.keepNotesOf(new Set());
  }

  async clear() {
    const transaction = this._database.transaction(STORES, 'readwrite', { durability: 'strict' });
    STORES.forEach((name) => transaction.objectStore(name).clear());
    await committed(transaction);
  }

  /** @param {string} name */
  _read(name) {
    return this._database.transaction(name).objectStore(name);
  }

  /** @param {string} name @param {(store: IDBObjectStore) => unknown} change */
  async _write(name, change) {
    const transaction = this._database.transaction(name, 'readwrite', { durability: 'strict' });
    const done = committed(transaction);
    change(transaction.objectStore(name));
    await done;
  }
}
