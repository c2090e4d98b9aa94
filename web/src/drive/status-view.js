/** Status view: the connection, the duty, and who sends the position. */

import { appName, openLink } from './apps.js';
import { el, renew } from './element.js';

/** @typedef {import('./translations.js').Translations} Translations */
/** @typedef {'page'|'app'} Sending who sends the position: this page or a phone app */

/**
 * @typedef {object} Acts
 * @property {(duty: import('../../types/driver.js').Duty) => unknown} duty
 * @property {(sending: Sending) => unknown} send
 * @property {() => unknown} takeOver
 */

/**
 * @typedef {object} Status
 * @property {import('./connection.js').State} connection
 * @property {string} driver the driver's name
 * @property {import('../../types/driver.js').Duty} duty
 * @property {number} waiting actions that are not sent
 * @property {number} fixes positions that are not sent
 * @property {boolean} isSlow the service has asked to wait with positions
 * @property {Sending|undefined} sending undefined: the driver has not chosen
 * @property {import('./source.js').Status} source of this page
 * @property {string} app that sends, as it names itself; empty if unknown
 * @property {string} reason why the app is silent, as the service concludes; empty if unknown
 * @property {import('./apps.js').AppLink[]} apps links that set up an app
 * @property {number|null} age seconds since the last position; null without one
 */

const SILENT = 60; // seconds, as the service calls a driver silent
const WARNING = { reconnecting: 'wait', connecting: 'wait', draining: 'wait', offline: 'bad', replaced: 'bad', refused: 'bad' };

export class StatusView {
  /**
   * @param {{header: HTMLElement, position: HTMLElement}} places @param {Translations} words
   * @param {Acts} acts
   */
  constructor({ header, position }, words, acts) {
    this._header = header;
    this._position = position;
    this._words = words;
    this._acts = acts;
  }

  /** @param {Status} status */
  show(status) {
    const { connection, driver, duty, waiting, sending, source, app } = status;
    renew(this._header, [connection, driver, duty, waiting], () => this._bar(status));
    const silent = sending === 'app' && connection === 'live' && (status.age === null || status.age > SILENT);
    renew(this._position, [sending, source, app, silent && status.reason, silent, duty, status.age === null, status.apps], () => this._panel(status, silent));
    const age = this._position.querySelector('[data-age]');
    if (age) age.textContent = this._age(status, silent);
    const fixes = this._position.querySelector('[data-fixes]');
    const text = this._waiting(status);
    if (fixes && fixes.textContent !== text) fixes.textContent = text;
  }

  /** What of the positions waits, and why. @param {Status} status */
  _waiting({ fixes, isSlow, connection }) {
    const words = this._words;
    const isBusy = isSlow && connection === 'live';
    return [fixes > 0 && words.say('fixes.unsent', { count: fixes }), isBusy && words.say('fixes.slow')].filter(Boolean).join(' · ');
  }

  /** @param {Status} status */
  _bar({ connection, driver, duty, waiting }) {
    const words = this._words;
    const kind = /** @type {Record<string, string>} */ (WARNING)[connection] ?? 'good';
    return [
      el('div.who', {},
        el('h1', { tabindex: -1 }, el('bdi', {}, driver)),
        el('p.pill', { 'data-kind': kind, 'data-state': connection, role: 'status' }, words.say(`state.${connection}`)),
        waiting > 0 && el('p.queue', { role: 'status' }, words.say('queue', { count: waiting }))),
      connection === 'replaced' && el('button.primary', { type: 'button', 'data-focus': 'take-over', onclick: this._acts.takeOver }, words.say('takeover')),
      connection === 'refused' && el('button', { type: 'button', 'data-focus': 'reload', onclick: () => location.reload() }, words.say('reload')),
      el('div.switches', {},
        this._switch('duty', duty.on, () => this._acts.duty({ on: !duty.on, on_break: false })),
        duty.on && this._switch('break', duty.on_break, () => this._acts.duty({ on: true, on_break: !duty.on_break }))),
    ];
  }

  /** @param {string} name @param {boolean} on @param {() => unknown} change */
  _switch(name, on, change) {
    return el('button.switch', { type: 'button', role: 'switch', 'aria-checked': String(on), 'data-focus': name, onclick: change },
      el('span.track', { 'aria-hidden': 'true' }), this._words.say(name));
  }

  /** @param {Status} status @param {boolean} silent */
  _panel({ sending, source, app, reason, apps, duty }, silent) {
    const words = this._words;
    if (!duty.on) return [el('p', {}, words.say('position.off_duty'))];
    if (!sending) return this._choice();
    if (sending === 'page') return this._ownPosition(source);
    const link = openLink(appName(app), navigator.userAgent);
    if (!silent) return [this._settled(this._other('page'))];
    return [
      el('p', { 'data-age': true }),
      words.has(`silence.${reason}`) && el('p.problem', {}, words.say(`silence.${reason}`)),
      link && el('a.button', { href: link, 'data-focus': 'open-app' }, words.say('position.open', { app: appName(app) })),
      apps.length > 0 && el('details', {}, el('summary', { 'data-focus': 'set-up' }, words.say('setup.title')),
        el('div.choices', {}, ...apps.map(({ name, href }) => el('a.button', { href }, name)))),
      this._other('page'),
    ];
  }

  _choice() {
    const words = this._words;
    const choice = (/** @type {Sending} */ sending) => el('button', { type: 'button', 'data-focus': sending, onclick: () => this._acts.send(sending) },
      el('strong', {}, words.say(`choice.${sending}`)), el('small', {}, words.say(`choice.${sending}.what`)));
    return [el('h2', { tabindex: -1 }, words.say('choice.title')), el('div.choices', {}, choice('app'), choice('page'))];
  }

  /** @param {import('./source.js').Status} source */
  _ownPosition(source) {
    const words = this._words;
    const ask = () => this._acts.send('page');
    const rest = [el('p.quiet', {}, words.say('position.screen_off')), this._other('app')];
    if (source === 'on') return [this._settled(...rest), el('p.quiet', { 'data-fixes': true })];
    return [
      el('p', {}, words.say(`position.${source}`)),
      source === 'off' && el('button.primary', { type: 'button', 'data-focus': 'allow', onclick: ask }, words.say('position.allow')),
      (source === 'denied' || source === 'unavailable') &&
        el('button', { type: 'button', 'data-focus': 'allow', onclick: ask }, words.say('retry')),
      el('p.quiet', { 'data-fixes': true }),
      ...rest,
    ];
  }

  /** All is well: one line, which opens what the driver seldom needs. @param {...HTMLElement} rest */
  _settled(...rest) {
    return el('details', {}, el('summary', { 'data-focus': 'position' }, el('span', { 'data-age': true })), ...rest);
  }

  /** @param {Sending} sending */
  _other(sending) {
    return el('button.plain', { type: 'button', 'data-focus': 'other', onclick: () => this._acts.send(sending) }, this._words.say(`choose.${sending}`));
  }

  /** @param {Status} status @param {boolean} silent */
  _age({ sending, app, age, connection }, silent) {
    const words = this._words;
    const name = sending === 'page' ? words.say('this_page') : appName(app) || words.say('your_app');
    if (sending === 'app' && connection !== 'live') return words.say('position.unknown', { app: name });
    if (age === null) return words.say('position.none', { app: name });
    return words.say(silent ? 'position.silent' : 'position.sends', { app: name, age: words.duration(age) });
  }
}
