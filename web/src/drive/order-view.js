/** OrderView: a card for each order, the next stop first. */

import { el, icon, renew } from './element.js';
import { contactOf, navigationLinks } from './orders.js';
import { refusedBox } from './refused-box.js';
import { openSheet } from './sheet.js';

/** @typedef {import('../../types/driver.js').Action} Action */
/** @typedef {import('../../types/driver.js').Note} Note */
/** @typedef {import('./orders.js').Task} Task */
/** @typedef {import('./translations.js').Translations} Translations */

/**
 * @typedef {object} Acts what the driver can do with an order
 * @property {(task: Task) => unknown} done
 * @property {(task: Task) => unknown} fail
 * @property {(task: Task) => unknown} chat
 */
/** @typedef {Acts & import('./refused-box.js').Acts} AllActs */

export class OrderView {
  /** @param {HTMLElement} list @param {Translations} words @param {AllActs} acts */
  constructor(list, words, acts) {
    this._list = list;
    this._words = words;
    this._acts = acts;
    this.vehicle = 'car';
    /** @type {Map<string, HTMLElement>} */ this._cards = new Map();
    /** @type {Map<string, boolean>} by order, where the driver chose it */ this._isOpen = new Map();
  }

  /** @param {Task[]} tasks @param {Action[]} refused @param {Map<string, Note[]>} notes by order */
  show(tasks, refused, notes) {
    const first = /** @type {HTMLElement|null} */ (this._list.firstElementChild);
    const wasSeen = first !== null && first.getBoundingClientRect().bottom > 0;
    const hadFocus = first !== null && first.contains(document.activeElement);
    const ids = new Set(tasks.map(({ order }) => order.id));
    for (const [id, card] of this._cards) {
      if (ids.has(id)) continue;
      card.remove();
      this._cards.delete(id);
    }
    tasks.forEach((task, i) => this._place(this._card(task, i, refused, notes.get(task.order.id) ?? []), i));
    if (wasSeen && first.isConnected) this._follow(first, hadFocus);
  }

  /**
   * Once a stop is done, its order moves down, and the browser would scroll along: show the next stop.
   * @param {HTMLElement} former @param {boolean} hadFocus
   */
  _follow(former, hadFocus) {
    const next = this._list.firstElementChild;
    if (!next || next === former) return;
    if (hadFocus) next.querySelector('h2')?.focus({ preventScroll: true });
    next.scrollIntoView({ block: 'nearest' });
  }

  /** Move the card only if it is elsewhere, since moving takes its focus. @param {HTMLElement} card @param {number} i */
  _place(card, i) {
    if (this._list.children[i] !== card) this._list.insertBefore(card, this._list.children[i] ?? null);
  }

  /** @param {Task} task @param {number} i @param {Action[]} refused @param {Note[]} notes */
  _card(task, i, refused, notes) {
    const { id } = task.order;
    const card = this._cards.get(id) ?? el('li.order', { 'data-order': id });
    this._cards.set(id, card);
    const own = refused.filter(({ order }) => order === id);
    const open = this._isOpen.get(id) ?? (i === 0 || own.length > 0);
    renew(card, [task, i, own, notes, open, this.vehicle], () => [this._details(task, i, own, notes, open)]);
    return card;
  }

  /** @param {Task} task @param {number} i @param {Action[]} refused @param {Note[]} notes @param {boolean} open */
  _details(task, i, refused, notes, open) {
    const { order, kind, stop, title } = task;
    const toggle = (/** @type {Event} */ event) => this._isOpen.set(order.id, /** @type {HTMLDetailsElement} */ (event.target).open);
    return el('details', { open, 'data-kind': kind, 'data-over': task.isOver },
      el('summary', { 'data-focus': 'summary', onclick: (/** @type {Event} */ event) => {
        const details = /** @type {HTMLElement} */ (event.currentTarget).parentElement;
        details?.addEventListener('toggle', toggle, { once: true });
      } },
      el('span.kind', {}, task.isOver ? this._words.say('order.over') : this._words.say(`kind.${kind}`, { count: i + 1 })),
      el('h2', { tabindex: -1, 'data-focus': 'title' }, el('bdi', {}, stop.address || title)),
      el('span.meta', {}, this._meta(task)),
      notes.at(-1)?.from === 'customer' && el('span.news', {}, this._words.say('chat.count', { count: notes.length }))),
      ...refused.map((action) => refusedBox(this._words, action, this._acts)),
      ...(task.isOver ? [] : this._body(task, notes)));
  }

  /** @param {Task} task @returns {string} reference, time, state */
  _meta({ order, kind, stop, title, isWaiting }) {
    const words = this._words;
    const { from, to } = order.window ?? { from: null, to: null };
    const time = (/** @type {string} */ at) => words.time(at, stop.time_zone);
    return [
      stop.address || title !== order.reference ? order.reference : '',
      kind === 'pickup' && stop.ready_at && words.say('order.ready', { time: time(stop.ready_at) }),
      kind === 'dropoff' && from && to && words.say('order.between', words.range(from, to, stop.time_zone)),
      kind === 'dropoff' && to && !from && words.say('order.until', { time: time(to) }),
      kind === 'dropoff' && from && !to && words.say('order.from', { time: time(from) }),
      isWaiting && words.say('waiting'),
    ].filter(Boolean).join(' · ');
  }

  /** @param {Task} task @param {Note[]} notes */
  _body(task, notes) {
    const { order, kind, stop } = task;
    const words = this._words;
    const last = notes.at(-1);
    const needs = Object.keys(order.requirements?.[kind] ?? {});
    return [
      order.customer?.name && el('p', {}, words.say('order.customer'), ' ', el('bdi', {}, order.customer.name)),
      order.instructions && el('p.instructions', {}, el('strong', {}, words.say('order.instructions')), ' ', el('bdi', {}, order.instructions)),
      last?.from === 'customer' && el('p.instructions', {}, el('strong', {}, `${words.say('chat.customer')}:`), ' ', el('bdi', {}, last.text)),
      kind === 'pickup' && order.dropoff.address && el('p', {}, words.say('order.then'), ' ', el('bdi', {}, order.dropoff.address)),
      needs.length > 0 && el('p.needs', {}, words.say('order.needs', { proofs: words.list(needs.map((proof) => words.say(`proof.${proof}`))) })),
      el('div.tools', {},
        el('button', { type: 'button', 'data-focus': 'navigate', 'data-focus-in': order.id, onclick: () => this._navigate(stop) }, icon('navigate'), words.say('navigate')),
        this._contact(task),
        el('button', { type: 'button', 'data-focus': 'chat', 'data-focus-in': order.id, onclick: () => this._acts.chat(task) }, icon('chat'),
          words.say('chat'), notes.length > 0 && el('span.badge', {},
            el('span', { 'aria-hidden': 'true' }, words.number(notes.length)), el('span.unseen', {}, words.say('chat.count', { count: notes.length }))))),
      el('div.acts', {},
        el('button', { type: 'button', 'data-focus': 'fail', 'data-focus-in': order.id, onclick: () => this._acts.fail(task) }, words.say('fail')),
        el('button.primary', { type: 'button', 'data-focus': 'done', 'data-focus-in': order.id, onclick: () => this._acts.done(task) }, words.say(`done.${kind}`))),
    ];
  }

  /** @param {Task} task */
  _contact({ order }) {
    const contact = contactOf(order);
    if (!contact) return null;
    const isCall = contact.href.startsWith('tel:');
    return el('a.button', { href: contact.href, 'data-focus': 'contact', ...(isCall ? {} : { target: '_blank', rel: 'noreferrer' }) },
      icon('call'), this._words.say(isCall ? 'call' : 'contact'));
  }

  /** @param {import('../../types/driver.js').Stop} stop */
  _navigate(stop) {
    const links = navigationLinks(stop, this.vehicle).map(({ name, href }) =>
      el('a.button', { href, target: '_blank', rel: 'noreferrer' }, name || this._words.say('navigate.other')));
    openSheet(this._words, this._words.say('navigate.title'), el('div.choices', {}, ...links));
  }
}
