/** Courier: a driver who is signed in. Connects the stored queue, the connection, the position and the views. */

import { AppWatch } from './app-watch.js';
import { DriverConnection } from './connection.js';
import { Conversations } from './conversations.js';
import { deviceReport } from './device.js';
import { FixSender } from './fixes.js';
import { notice } from './notice.js';
import { newOrders } from './orders.js';
import { again, unsent } from './queue.js';
import { ring } from './ring.js';
import { Screen } from './screen.js';
import { Sender, uploader } from './sender.js';
import { Source } from './source.js';

/** @typedef {import('../../types/driver.js').Action} Action */
/** @typedef {import('../../types/driver.js').AssignedOrder} AssignedOrder */
/** @typedef {import('../../types/driver.js').Note} Note */
/** @typedef {import('../../types/driver.js').ToDriver} ToDriver */
/** @typedef {import('./orders.js').Task} Task */
/** @typedef {import('./proof-sheet.js').Given} Given */

const DEVICE_EVERY = 60_000; // milliseconds

export class Courier {
  /**
   * @param {import('./store.js').Store} store @param {import('./translations.js').Translations} words
   * @param {string} service the service's base URL @param {string} token @param {() => unknown} onSignedOut
   */
  constructor(store, words, service, token, onSignedOut) {
    this._store = store;
    this._words = words;
    this._onSignedOut = onSignedOut;
    this._connection = new DriverConnection(service, token);
    this._sender = new Sender(store, this._connection, uploader(service, token), (sent) => this._queueChanged(sent));
    this._fixes = new FixSender(store, this._connection, (count) => this._fixesChanged(count));
    this._source = new Source((fix) => this._fixes.add(fix), () => this._sourceChanged());
    this._watch = new AppWatch(service, token, (seen) => (this._seen = seen));
    this._screen = new Screen(words, {
      duty: (duty) => this._setDuty(duty),
      send: (sending) => this._setSending(sending),
      takeOver: () => this._connection.takeOver(),
      report: (task, report) => this._report(task, report),
      prove: (task, given) => this._prove(task, given),
      note: ({ order, title }, text) => this._sender.add({ kind: 'note', order: order.id, title, text }),
      retry: (action) => this._retry(action),
      dismiss: (action) => this._sender.remove(action),
    });
    /** @type {AssignedOrder[]} */ this._orders = [];
    this._conversations = new Conversations(store);
    this._received = Promise.resolve(); // once all messages so far are dealt with, in their sequence
    /** @type {import('./app-watch.js').Seen} */ this._seen = { app: '', at: null, reason: '' };
    /** @type {import('./status-view.js').Sending|undefined} */ this._sending = undefined;
    /** @type {import('./apps.js').AppLink[]} */ this._apps = [];
    this._driver = { id: '', name: '', vehicle: 'car' };
    this._duty = { on: true, on_break: false };
    this._clockAhead = 0; // milliseconds of this phone's clock before the server's
    this._unsentFixes = 0;
    this._deviceSentAt = 0;
    this._isClosed = false;
    /** @type {ReturnType<typeof setInterval>|undefined} */ this._ticking = undefined;
  }

  /** Show what is stored, then connect. */
  async start() {
    const store = this._store;
    this._driver = (await store.setting('driver')) ?? this._driver;
    this._orders = (await store.setting('orders')) ?? [];
    this._duty = (await store.setting('duty')) ?? this._duty;
    this._sending = await store.setting('sending');
    this._apps = (await store.setting('apps')) ?? [];
    await this._conversations.load();
    this._unsentFixes = await store.countFixes();
    await this._sender.load();
    this._connection.addEventListener('state', () => this._stateChanged());
    this._connection.addEventListener('receive', (event) => {
      const message = /** @type {CustomEvent<ToDriver>} */ (event).detail;
      this._received = this._received.then(() => this._receive(message)).catch(reportError);
    });
    this._connection.start();
    this._ticking = setInterval(() => this._showStatus(), 1000);
    if (this._sending === 'page') this._resumeSource();
    if (this._sending === 'app') this._watch.start();
    this._show();
  }

  close() {
    if (this._isClosed) return;
    this._isClosed = true;
    this._screen.remove();
    clearInterval(this._ticking);
    this._watch.stop();
    this._source.stop();
    this._connection.close();
  }

  // --- from the service

  /** @param {ToDriver} message */
  async _receive(message) {
    if (message.type === 'welcome') await this._welcome(message);
    else if (message.type === 'orders') await this._setOrders(message.orders);
    else if (message.type === 'message') await this._hear(message);
    else if (message.type === 'policy') this._source.policy = message.policy;
    else if (message.type === 'duty') await this._dutyChanged(message);
    else if (message.type === 'slow') this._fixes.slow(message.retry_s);
  }

  /** @param {import('../../types/driver.js').Welcome} welcome */
  async _welcome({ driver, orders, now, policy, duty }) {
    if (this._driver.id && this._driver.id !== driver.id) await this._forgetFormerDriver();
    this._driver = driver;
    this._clockAhead = Date.now() - Date.parse(now);
    this._source.policy = policy;
    await this._store.set('driver', driver);
    await this._dutyChanged(duty ?? this._duty);
    await this._setOrders(orders);
    this._fixes.connected();
    this._sender.run();
    this._reportDevice();
  }

  /** Another driver signs in on this phone: nothing of the former one stays. */
  async _forgetFormerDriver() {
    const kept = await Promise.all(['token', 'apps'].map(async (name) => ({ name, value: await this._store.setting(name) })));
    await this._store.clear();
    for (const { name, value } of kept) await this._store.set(name, value);
    await this._sender.load();
    await this._conversations.load();
    [this._orders, this._sending] = [[], undefined];
    this._source.stop();
    this._watch.stop();
  }

  /** @param {AssignedOrder[]} orders */
  async _setOrders(orders) {
    const added = newOrders(this._orders, orders);
    this._orders = orders;
    await this._store.set('orders', orders);
    const notes = await this._conversations.setOrders(orders);
    this._show();
    if (added.length || notes.length) this._alert(added.length, notes);
  }

  /** @param {{order_id: string, text: string, at: string}} message */
  async _hear(message) {
    const notes = await this._conversations.hear(message);
    this._show();
    if (notes.length) this._alert(0, notes);
  }

  /** @param {number} orders their number @param {Note[]} notes that are new */
  _alert(orders, notes) {
    const words = this._words;
    ring();
    const news = orders ? [words.say('order.new', { count: orders })] : [];
    this._screen.announce([...news, ...notes.map((note) => words.say('chat.heard', note))].join(' '));
    notice(words, [...news, ...(notes.length ? [words.say('chat.count', { count: notes.length })] : [])]);
  }

  /** @param {import('../../types/driver.js').Duty} duty */
  async _dutyChanged({ on, on_break }) {
    this._duty = { on, on_break };
    await this._store.set('duty', this._duty);
    if (!on) this._source.stop();
    this._showStatus();
  }

  _stateChanged() {
    if (this._isClosed) return;
    this._showStatus();
    if (this._connection.state === 'signed_out') this._onSignedOut();
  }

  // --- what the driver does

  /** Replace an earlier proof of this kind that was refused. @param {Task} task @param {Given} given */
  async _prove({ order: { id: order }, kind: stop, title }, given) {
    const isFormer = (/** @type {Action} */ each) => each.refusal && each.order === order && each.proof === given.proof;
    for (const action of this._sender.actions.filter(isFormer)) await this._sender.remove(action);
    await this._sender.add({ kind: 'proof', order, title, stop, ...given });
  }

  /** @param {Task} task @param {Pick<Action, 'status'|'outcome'|'reason'>} report */
  async _report({ order, title }, report) {
    await this._sender.add({ kind: 'status', order: order.id, title, ...report });
    this._screen.announce(this._words.say(`announce.${report.status}`, { order: title }));
  }

  /** @param {Action} action */
  async _retry(action) {
    await this._sender.remove(action);
    await this._sender.add(again(action));
  }

  /** @param {import('../../types/driver.js').Duty} duty */
  async _setDuty(duty) {
    await this._sender.add({ kind: 'duty', duty });
    await this._dutyChanged(duty);
    if (duty.on && this._sending === 'page') this._source.start();
  }

  /** @param {import('./status-view.js').Sending} sending */
  async _setSending(sending) {
    this._sending = sending;
    await this._store.set('sending', sending);
    if (sending === 'page') {
      this._watch.stop();
      this._source.start();
    } else {
      this._source.stop();
      this._watch.start();
    }
    this._showStatus();
  }

  /** Go on without a tap where the browser has the permission already. */
  async _resumeSource() {
    const permission = await navigator.permissions?.query({ name: 'geolocation' }).catch(() => null);
    if (permission?.state !== 'prompt' && this._duty.on && !this._isClosed) this._source.start();
  }

  // --- what changes by itself

  /** @param {Action|null} sent */
  async _queueChanged(sent) {
    if (sent?.kind === 'note') await this._conversations.sent(sent);
    if (sent?.kind === 'status' && sent.status !== 'picked_up') {
      this._orders = this._orders.filter(({ id }) => id !== sent.order); // the service leaves it out from now on
      await this._store.set('orders', this._orders);
    } else if (sent) this._applySent(sent);
    this._show();
  }

  /** What the service now knows, until it sends the orders again. @param {Action} sent */
  _applySent({ order, kind, stop, proof }) {
    this._orders = this._orders.map((each) => {
      if (each.id !== order) return each;
      if (kind === 'status') return { ...each, status: 'picked_up' };
      if (kind !== 'proof' || !stop || !proof) return each;
      const missing = { ...each.missing_proofs, [stop]: { ...each.missing_proofs?.[stop], [proof]: false } };
      return { ...each, missing_proofs: missing };
    });
  }

  /** @param {number} count */
  _fixesChanged(count) {
    this._unsentFixes = count;
    this._showStatus();
  }

  _sourceChanged() {
    this._reportDevice();
    this._showStatus();
  }

  async _reportDevice() {
    if (this._sending !== 'page' || !this._connection.isLive) return;
    this._deviceSentAt = Date.now();
    const report = await deviceReport(this._source.status);
    await this._connection.request({ type: 'device', ...report }).catch(() => null);
  }

  // --- what the driver sees

  _show() {
    if (this._isClosed) return;
    const { _orders: orders, _conversations: { notes }, _sender: { actions } } = this;
    this._screen.show({ orders, actions, notes, vehicle: this._driver.vehicle });
    this._showStatus();
  }

  _showStatus() {
    if (this._isClosed) return;
    const now = Date.now();
    if (this._sending === 'page' && now - this._deviceSentAt > DEVICE_EVERY) this._reportDevice();
    const { at, app, reason } = this._sending === 'page' ? { at: this._ownFixAt(), app: '', reason: '' } : this._seen;
    this._screen.showStatus({
      connection: this._connection.state,
      driver: this._driver.name,
      duty: this._duty,
      waiting: unsent(this._sender.actions),
      fixes: this._unsentFixes,
      isSlow: this._fixes.isSlow,
      sending: this._sending,
      source: this._source.status,
      app,
      reason,
      apps: this._apps,
      age: at === null ? null : (now - this._clockAhead - at) / 1000,
    });
  }

  /** By the server's clock, as that of an app. */
  _ownFixAt() {
    return this._source.last && Date.parse(this._source.last.recorded_at) - this._clockAhead;
  }
}
