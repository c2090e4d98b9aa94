/** ImportFlow: from a list to links: read it, look at its rows, create the orders, take the links. */

import { confirmSheet } from '../../../drive/sheet.js';
import { el } from '../../../drive/element.js';
import { problemText } from '../../api.js';
import { keepPickup, lastPickup } from '../last-pickup.js';
import { loadCsv } from './csv-library.js';
import { PlaceMap } from '../place-map.js';
import { copyText } from '../../share/copy.js';
import { shareBox } from '../../share/share-box.js';
import { createAll, locateAll, restoreAll } from './creation.js';
import { linksCsv, linksText } from './export.js';
import { ImportList, placeOf, problemsOf, stateOf } from './import-list.js';
import { Journal } from './journal.js';
import { ListSettings } from './list-settings.js';
import { problemWords } from './row-editor.js';
import { RowTable } from './row-table.js';
import { SourceStep } from './source-step.js';
import { tableOf } from './table.js';

/** @typedef {import('../../board.js').Board} Board */
/** @typedef {import('./import-list.js').Row} Row */

const COLUMNS = ['number', 'name', 'address', 'phone', 'reference', 'state', 'problem', 'link']; // of the exported table

/** @type {{session: object, flow: ImportFlow}|null} */
let kept = null; // a list that was closed is there again when it is opened

/** @param {Board} board */
export function openImport(board) {
  const flow = kept?.session === board.session ? kept.flow : new ImportFlow(board);
  kept = { session: board.session, flow };
  flow.open();
}

class ImportFlow {
  /** @param {Board} board */
  constructor(board) {
    this._board = board;
    const { words } = board;
    /** @type {ImportList|null} */ this._list = null;
    /** @type {PlaceMap|null} */ this._map = null;
    /** @type {Row|null} */ this._row = null;
    /** @type {AbortController|null} */ this._work = null; // what is being located or created
    this._isCreating = false;
    this._text = '';
    this._journal = new Journal(board.service, localStorage);
    this._source = new SourceStep(words, (text) => this._read(text));
    this._settings = new ListSettings(board, { onShape: (wanted) => this._read(this._text, wanted), onReading: () => this._reread(), onPickup: () => this._draw() });
    this._table = new RowTable(board, {
      onOpen: (row) => this._opened(row), onEdit: (row) => this._edited(row), onByHand: (row) => this._byHand(row), onShare: (row) => this._share(row),
    });
    this._mapPlace = el('div.map-place');
    this._status = el('p.status', { role: 'status' });
    this._problem = el('p.problem', { role: 'alert' });
    this._bar = el('progress', { max: 1, value: 0, hidden: true, 'aria-label': words.say('import.progress') });
    this._buttons = {
      create: button('create', () => this._create(), '', '.primary'),
      stop: button('stop', () => this._work?.abort(), words.say('import.stop')),
      copy: button('copy', () => copyText(board, linksText(this._list?.rows ?? [])), words.say('import.copy_links')),
      csv: button('csv', () => this._download(), words.say('import.download')),
      again: button('again', () => this._startOver(), words.say('import.start_over'), '.plain'),
    };
    this._preview = el('div.preview', { hidden: true }, this._settings.element, this._mapPlace, this._table.element,
      el('div.foot', {}, this._status, this._bar, this._problem, el('div.buttons.acts', {}, ...Object.values(this._buttons))));
    this._body = el('div.import', {}, this._source.element, this._preview);
  }

  open() {
    const sheet = this._board.sheet(this._board.words.say('import.title'), this._body);
    sheet.classList.add('wide');
    this._map = new PlaceMap(this._board, { onMove: (place) => this._pinned(place), onSelect: (id) => this._table.open(this._list?.rows[id - 1] ?? null) });
    this._mapPlace.replaceChildren(this._map.element);
    sheet.addEventListener('close', () => {
      this._map?.remove();
      this._map = null;
    });
    this._draw();
    this._look();
    if (!this._list) this._source.text.focus();
  }

  /** @param {string} text @param {Parameters<typeof tableOf>[2]} [wanted] @returns {Promise<boolean>} whether there is a list in it */
  async _read(text, wanted) {
    const table = tableOf(text, await loadCsv(), wanted);
    if (!table) return false;
    const isNew = text !== this._text || !this._list;
    this._text = text;
    this._settings.show(table);
    const last = isNew && !this._settings.pickup.stop.text && lastPickup(this._board.service, this._board.fleet.orders.values());
    if (last) this._settings.pickup.fill(last);
    this._source.element.hidden = true;
    this._preview.hidden = false;
    this._reread(isNew);
    if (isNew) this._board.announce(this._board.words.say('import.read_rows', { count: table.rows.length }));
    return true;
  }

  /** Understand the rows anew, after a change of what columns or times mean. */
  _reread(isNew = false) {
    const { table, reading } = this._settings;
    if (!table) return;
    const open = [...this._board.fleet.orders.values()].flatMap((order) => order.reference ?? []);
    this._list = new ImportList(table, reading, open, isNew ? null : this._list);
    this._table.show(this._list);
    this._locate();
  }

  async _locate() {
    const list = this._list;
    if (!list || this._isCreating) return;
    this._work?.abort();
    this._work = new AbortController();
    const { signal } = this._work;
    await this._try(async () => {
      await this._restore(list);
      await locateAll(list, this._board.api, { signal, onProgress: () => this._draw() });
    });
    if (this._list === list) this._look();
  }

  /** Show the links of rows that are orders already. @param {ImportList} list */
  async _restore(list) {
    const { ids, since } = this._journal.find(list.rows.filter((row) => !row.order));
    if (ids.size) await restoreAll(ids, since, this._board.api);
  }

  /** @param {() => Promise<void>} act */
  async _try(act) {
    this._problem.textContent = '';
    const work = this._work;
    try {
      this._draw();
      await act();
    } catch (error) {
      this._problem.textContent = problemText(error, this._board.words);
    }
    if (this._work === work) this._work = null;
    this._draw();
  }

  async _create() {
    const list = this._list;
    if (!list) return;
    this._table.open(null);
    this._work?.abort();
    this._work = new AbortController();
    const { signal } = this._work;
    const onProgress = (/** @type {readonly Row[]} */ rows) => {
      this._journal.add(rows);
      this._draw();
    };
    this._isCreating = true;
    await this._try(async () => {
      if (await this._settings.hasPickup()) await createAll(list, this._board.api, this._settings.common, { signal, onProgress });
    });
    this._isCreating = false;
    this._draw();
    this._finish(list.counts());
  }

  /** @param {{created: number}} counts */
  _finish({ created }) {
    const { stop, place } = this._settings.pickup;
    if (!created) return;
    keepPickup(this._board.service, { address: stop.text, ...(place && { lat: place.lat, lon: place.lon }) });
    this._board.announce(this._board.words.say('import.created', { count: created }));
    this._table.showCreated();
    this._buttons.copy.focus();
  }

  /** @param {Row|null} row whose editor is open now */
  _opened(row) {
    if (this._row && this._row !== row && placeOf(this._row)) this._row.checked = true; // its place was on the map
    this._row = row;
    const place = row && placeOf(row);
    this._map?.setPin(place, row?.draft.address);
    const choices = row?.meaning?.candidates ?? [];
    if (place) this._map?.look([place]);
    else if (choices.length) this._map?.look(choices);
    this._draw();
  }

  /** @param {Row} row */
  _edited(row) {
    this._draw();
    const place = placeOf(row);
    this._map?.setPin(place, row.draft.address);
    if (place) this._map?.look([place]);
    else if (row.draft.address && !row.meaning) this._locate().then(() => this._row === row && this._opened(row));
  }

  /** Put the pin where a person can move it from. @param {Row} row */
  _byHand(row) {
    const near = placeOf(row) ?? row.meaning?.candidates[0] ?? this._settings.pickup.place ?? this._places()[0] ?? this._map?.middle;
    if (!near || !this._list) return;
    this._list.pin(row, near);
    this._edited(row);
    this._map?.focusPin();
  }

  /** @param {import('../place-map.js').Place} place */
  _pinned(place) {
    if (!this._row || !this._list) return;
    this._list.pin(this._row, place);
    this._draw();
  }

  /** @param {Row} row */
  _share({ order, draft }) {
    const { words } = this._board;
    if (order) this._board.sheet(words.say('share.title'), shareBox(this._board, { url: order.url, phone: draft.customer?.phone, email: draft.customer?.email }));
  }

  /** @returns {import('../place-map.js').Place[]} */
  _places() {
    return (this._list?.rows ?? []).flatMap((row) => placeOf(row) ?? []);
  }

  _look() {
    const pickup = this._settings.pickup.place;
    if (!this._row) this._map?.look([...this._places(), ...(pickup ? [pickup] : [])]);
  }

  _draw() {
    if (!this._list) return;
    this._table.draw();
    this._drawDots();
    this._drawStatus();
    this._drawActs();
  }

  _drawDots() {
    const { place } = this._settings.pickup;
    const dots = (this._list?.rows ?? []).flatMap((row) => {
      const at = row.leftOut ? null : placeOf(row);
      return at ? [{ id: row.number, lat: at.lat, lon: at.lon, kind: stateOf(row) }] : [];
    });
    const choices = this._row && !placeOf(this._row) ? this._row.meaning?.candidates ?? [] : [];
    dots.push(...choices.map(({ lat, lon }) => ({ id: this._row?.number ?? 0, lat, lon, kind: /** @type {any} */ ('choice') })));
    this._map?.setDots(place ? [{ id: 0, lat: place.lat, lon: place.lon, kind: 'pickup' }, ...dots] : dots);
  }

  _drawStatus() {
    const { words } = this._board;
    const { all = 0, waiting = 0, wrong = 0, check = 0, ready = 0, leftOut = 0, created = 0 } = this._list?.counts() ?? {};
    const parts = [['ready', ready], ['check', check], ['wrong', wrong], ['left-out', leftOut], ['waiting', waiting], ['created', created]];
    const left = this._settings.table?.left ?? 0;
    this._status.textContent = [...parts.filter(([, count]) => count).map(([name, count]) => words.say(`count.${name}`, { count })),
      ...(left ? [words.say('count.too_many', { count: left })] : [])].join(' · ');
    const [done, whole] = this._isCreating ? [created, created + ready + check] : [all - waiting, all];
    this._bar.hidden = !this._work;
    this._bar.setAttribute('value', String(whole ? done / whole : 1));
  }

  _drawActs() {
    const { words } = this._board;
    const { ready = 0, check = 0, created = 0 } = this._list?.counts() ?? {};
    const { create, stop, copy, csv, again } = this._buttons;
    create.hidden = this._isCreating || ready + check === 0;
    create.textContent = words.say('import.create', { count: ready + check });
    stop.hidden = !this._isCreating;
    copy.hidden = csv.hidden = created === 0;
    again.hidden = this._isCreating;
    this._table.element.inert = this._isCreating;
    this._settings.element.inert = this._isCreating || created > 0; // another reading would be another list
  }

  async _download() {
    const { words } = this._board;
    const header = COLUMNS.map((name) => words.say(`csv.${name}`));
    const say = (/** @type {Row} */ row) => ({ state: words.say(`state.${stateOf(row)}`), problem: problemsOf(row).map((problem) => problemWords(problem, words)).join('; ') });
    const text = linksCsv(this._list?.rows ?? [], await loadCsv(), { header, locale: words.locale }, say);
    const url = URL.createObjectURL(new Blob([text], { type: 'text/csv;charset=utf-8' }));
    el('a', { href: url, download: `${words.say('csv.file')}.csv` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  }

  _startOver() {
    const { words } = this._board;
    const { all = 0, created = 0, leftOut = 0 } = this._list?.counts() ?? {};
    const begin = () => {
      this._work?.abort();
      this._list = null;
      this._table.show(null);
      this._row = null;
      this._map?.setPin(null);
      this._map?.setDots([]);
      this._preview.hidden = true;
      this._source.element.hidden = false;
      this._source.text.value = '';
      this._source.text.focus();
    };
    if (created + leftOut === all) begin();
    else confirmSheet(words, { title: words.say('import.start_over'), text: words.say('import.lose'), yes: words.say('import.start_over') }, begin);
  }
}

/** @param {string} name @param {() => unknown} onclick @param {string} text @param {string} [kind] */
function button(name, onclick, text, kind = '') {
  return el(`button${kind}`, { type: 'button', onclick, 'data-focus': name }, text);
}
