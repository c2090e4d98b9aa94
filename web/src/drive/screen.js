/** Screen: all that a driver who is signed in sees. */

import { ChatSheet } from './chat-sheet.js';
import { renew } from './element.js';
import { openFailSheet } from './fail-sheet.js';
import { tasksOf } from './orders.js';
import { OrderView } from './order-view.js';
import { ProofSheet } from './proof-sheet.js';
import { refusedBox } from './refused-box.js';
import { confirmSheet } from './sheet.js';
import { StatusView } from './status-view.js';

/** @typedef {import('../../types/driver.js').Action} Action */
/** @typedef {import('./orders.js').Task} Task */

/**
 * @typedef {object} OrderActs
 * @property {(task: Task, report: Pick<Action, 'status'|'outcome'|'reason'>) => unknown} report
 * @property {(task: Task, given: import('./proof-sheet.js').Given) => unknown} prove
 * @property {(task: Task, text: string) => unknown} note
 */
/** @typedef {OrderActs & import('./refused-box.js').Acts & import('./status-view.js').Acts} Acts */

/**
 * @typedef {object} Shown
 * @property {import('../../types/driver.js').AssignedOrder[]} orders in stop sequence
 * @property {Action[]} actions that the service does not have, or refused
 * @property {import('../../types/driver.js').Note[]} notes
 * @property {string} vehicle
 */

/** @param {string} id @returns {HTMLElement} */
const place = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

export class Screen {
  /** @param {import('./translations.js').Translations} words @param {Acts} acts */
  constructor(words, acts) {
    this._words = words;
    this._acts = acts;
    this._status = new StatusView({ header: place('header'), position: place('position') }, words, acts);
    this._orders = new OrderView(place('orders'), words, {
      ...acts,
      done: (task) => this._done(task),
      fail: (task) => openFailSheet(words, task.title, (report) => acts.report(task, { status: 'failed', ...report })),
      chat: (task) => this._chat(task),
    });
    /** @type {{sheet: ProofSheet, order: string}|null} */ this._proving = null;
    /** @type {{sheet: ChatSheet, order: string}|null} */ this._chatting = null;
    /** @type {Shown} */ this._shown = { orders: [], actions: [], notes: [], vehicle: 'car' };
  }

  /** @param {Shown} shown */
  show(shown) {
    this._shown = shown;
    const { orders, actions, notes, vehicle } = shown;
    const tasks = tasksOf(orders, actions);
    const refused = actions.filter(({ refusal }) => refusal);
    const said = new Map(orders.map(({ id }) => [id, notes.filter(({ order }) => order === id)]));
    this._orders.vehicle = vehicle;
    this._orders.show(tasks, refused, said);
    place('none').textContent = tasks.length ? '' : this._words.say('order.none');
    this._showOthers(refused.filter(({ order }) => !orders.some(({ id }) => id === order)));
    this._showSheets(tasks, refused);
  }

  /** @param {import('./status-view.js').Status} status */
  showStatus(status) {
    this._status.show(status);
  }

  /** Remove everything, since the next driver must not see it. */
  remove() {
    document.querySelectorAll('dialog').forEach((dialog) => dialog.close());
    for (const id of ['header', 'position', 'orders', 'refused', 'announcer']) place(id).replaceWith(place(id).cloneNode(false));
  }

  /** Say it to a screen reader, also if it is the same as before. @param {string} text */
  announce(text) {
    const announcer = place('announcer');
    announcer.textContent = announcer.textContent === text ? `${text}\u00a0` : text;
  }

  /** What was refused of orders that are no longer the driver's. @param {Action[]} refused */
  _showOthers(refused) {
    renew(place('refused'), refused, () => refused.map((action) => {
      const box = refusedBox(this._words, action, this._acts);
      box.prepend(document.createTextNode(action.title ?? ''));
      return box;
    }));
  }

  /** @param {Task[]} tasks @param {Action[]} refused */
  _showSheets(tasks, refused) {
    if (this._proving) {
      const { sheet, order } = this._proving;
      const task = tasks.find((each) => each.order.id === order);
      if (task && !task.isOver) sheet.show(task, refused.filter((each) => each.order === order && each.proof));
      else sheet.dialog.close();
    }
    if (this._chatting) {
      const { sheet, order } = this._chatting;
      const waiting = this._shown.actions.filter((each) => each.order === order && each.kind === 'note');
      sheet.show(this._shown.notes.filter((note) => note.order === order), waiting);
    }
  }

  /** @param {Task} task */
  _done(task) {
    const report = () => this._acts.report(task, { status: task.kind === 'pickup' ? 'picked_up' : 'delivered' });
    if (task.kind === 'pickup' && !task.missing.length) return report();
    if (!task.missing.length) return this._askWhetherDelivered(task, report);
    const sheet = new ProofSheet(this._words, task, { give: (given) => this._acts.prove(task, given), done: report });
    this._proving = { sheet, order: task.order.id };
    sheet.dialog.addEventListener('close', () => (this._proving = null));
    return this.show(this._shown);
  }

  /** Nothing can undo it, and without a proof a single touch would do. @param {Task} task @param {() => unknown} report */
  _askWhetherDelivered({ title, stop }, report) {
    const question = { title: this._words.say('deliver.title', { order: title }), text: stop.address ?? '', yes: this._words.say('done.dropoff') };
    return confirmSheet(this._words, question, report, 'primary');
  }

  /** @param {Task} task */
  _chat(task) {
    const sheet = new ChatSheet(this._words, task.title, (text) => this._acts.note(task, text));
    this._chatting = { sheet, order: task.order.id };
    sheet.dialog.addEventListener('close', () => (this._chatting = null));
    this.show(this._shown);
  }
}
