/** Proof sheet: collects what a stop needs, then reports the stop as done. */

import { el, renew } from './element.js';
import { SignaturePad, barcodeIn, downscaled, readsBarcodes } from './images.js';
import { openSheet } from './sheet.js';

/** @typedef {import('../../types/driver.js').Action} Action */
/** @typedef {import('../../types/driver.js').ProofKind} ProofKind */
/** @typedef {import('./orders.js').Task} Task */
/** @typedef {import('./translations.js').Translations} Translations */
/** @typedef {{proof: ProofKind, file?: Blob, value?: string}} Given */

export class ProofSheet {
  /**
   * @param {Translations} words @param {Task} task
   * @param {{give: (given: Given) => unknown, done: () => unknown}} acts
   */
  constructor(words, task, { give, done }) {
    this._words = words;
    this._give = give;
    this._rows = el('div.proofs', {});
    /** @type {Map<ProofKind, HTMLElement>} */ this._sections = new Map();
    this._done = /** @type {HTMLButtonElement} */ (el('button.primary', { type: 'button', onclick: () => {
      this.dialog.close();
      done();
    } }));
    this._answer = el('p.problem', { role: 'status' });
    this.dialog = openSheet(words, words.say('proof.title', { order: task.title }), this._rows, this._answer, this._done);
  }

  /** @param {Task} task @param {Action[]} refused proofs of the order */
  show(task, refused) {
    for (const proof of /** @type {ProofKind[]} */ (Object.keys(task.order.requirements?.[task.kind] ?? {}))) {
      const wrong = refused.findLast((each) => each.proof === proof)?.key;
      const state = !task.missing.includes(proof) ? task.queued.includes(proof) ? 'queued' : 'given' : 'missing';
      const section = this._section(proof);
      renew(section, [state, wrong], () => this._row(proof, state, wrong !== undefined)); // the others stay as they are
    }
    this._done.textContent = this._words.say(`done.${task.kind}`);
    this._done.disabled = task.missing.length > 0;
  }

  /** @param {ProofKind} proof @returns {HTMLElement} */
  _section(proof) {
    const found = this._sections.get(proof) ?? el('section.proof', {});
    if (!found.isConnected) this._rows.append(found);
    this._sections.set(proof, found);
    return found;
  }

  /** @param {ProofKind} proof @param {string} state @param {boolean} wasWrong */
  _row(proof, state, wasWrong) {
    const words = this._words;
    if (state === 'given') return [el('p.given', {}, words.say(`proof.${proof}.given`))];
    if (state === 'queued') return [el('p.given', {}, `${words.say(`proof.${proof}.given`)} · ${words.say('waiting')}`)];
    const build = { photo: this._photo, signature: this._signature, barcode: this._barcode, pin: this._pin }[proof];
    return [
      el('h3', { tabindex: -1 }, words.say(`proof.${proof}`)),
      wasWrong && el('p.problem', {}, words.say(`proof.${proof}.wrong`)),
      ...build.call(this),
    ];
  }

  _photo() {
    return [this._camera('photo', 'proof.photo.take', async (file) => this._give({ proof: 'photo', file: await downscaled(file) }))];
  }

  /** @param {string} id @param {string} text @param {(file: File) => Promise<unknown>} use */
  _camera(id, text, use) {
    const change = async (/** @type {Event} */ event) => {
      const [file] = /** @type {HTMLInputElement} */ (event.target).files ?? [];
      if (file) await use(file).catch(() => this._say('proof.unreadable'));
    };
    return el('label.button', {}, this._words.say(text),
      el('input.unseen', { id: `proof-${id}`, type: 'file', accept: 'image/*', capture: 'environment', onchange: change }));
  }

  _signature() {
    const canvas = /** @type {HTMLCanvasElement} */ (
      el('canvas.signature', { width: 640, height: 240, role: 'img', 'aria-label': this._words.say('proof.signature.field') }));
    const name = /** @type {HTMLInputElement} */ (el('input', { id: 'proof-name', autocomplete: 'off', oninput: () => pad.write(name.value.trim()) }));
    const keep = /** @type {HTMLButtonElement} */ (el('button', { type: 'button', onclick: async () =>
      this._give({ proof: 'signature', file: await pad.image() }) }, this._words.say('proof.signature.keep')));
    const clear = () => {
      name.value = '';
      pad.clear();
    };
    const pad = new SignaturePad(canvas, (isEmpty) => (keep.disabled = isEmpty));
    return [canvas, el('label', { for: 'proof-name' }, this._words.say('proof.signature.type')), name,
      el('div.row', {}, el('button', { type: 'button', onclick: clear }, this._words.say('proof.signature.clear')), keep)];
  }

  _barcode() {
    const scan = async (/** @type {File} */ file) => {
      const value = await barcodeIn(file);
      if (value) this._give({ proof: 'barcode', value });
      else this._say('proof.barcode.none');
    };
    return [
      readsBarcodes ? this._camera('scan', 'proof.barcode.scan', scan) : null,
      this._typed('barcode', 'proof.barcode.type', { maxlength: 100, autocapitalize: 'characters' }),
    ];
  }

  _pin() {
    return [this._typed('pin', 'proof.pin.type', { inputmode: 'numeric', pattern: '[0-9]{4}', maxlength: 4 })];
  }

  /** @param {ProofKind} proof @param {string} label @param {Record<string, unknown>} attributes */
  _typed(proof, label, attributes) {
    const id = `proof-${proof}`;
    const input = /** @type {HTMLInputElement} */ (el('input', { id, required: true, autocomplete: 'off', ...attributes }));
    const submit = (/** @type {SubmitEvent} */ event) => {
      event.preventDefault();
      this._give({ proof, value: input.value.trim() });
    };
    return el('form', { onsubmit: submit }, el('label', { for: id }, this._words.say(label)),
      el('div.row', {}, input, el('button', { type: 'submit' }, this._words.say('proof.check'))));
  }

  /** @param {string} name of a text */
  _say(name) {
    this._answer.textContent = this._words.say(name);
  }
}
