/** Sender: sends the stored actions once and in sequence while the connection is live. */

import { randomId } from '../random-id.js';
import { Disconnected } from './connection.js';
import { nextAction, nextDelay, refuse } from './queue.js';

/** @typedef {import('../../types/driver.js').Action} Action */
/** @typedef {import('../../types/driver.js').Refusal} Refusal */

const SERVER_RETRY = 5_000; // milliseconds

export class Sender {
  /**
   * @param {import('./store.js').Store} store
   * @param {import('./connection.js').DriverConnection} connection
   * @param {(action: Action) => Promise<Refusal|null>} upload sends a proof; rejects with Disconnected
   * @param {(sent: Action|null) => unknown} onChange called after each change of the queue, with what was stored
   */
  constructor(store, connection, upload, onChange) {
    this._store = store;
    this._connection = connection;
    this._upload = upload;
    this._onChange = onChange;
    /** @type {Action[]} */ this.actions = [];
    this._isRunning = false;
    /** @type {ReturnType<typeof setTimeout>|undefined} */ this._timer = undefined;
  }

  /** Read the queue, which another page may have changed. */
  async load() {
    this.actions = await this._store.actions();
  }

  /** @param {Omit<Action, 'key'|'at'>} action @returns {Promise<void>} resolves once it is stored */
  async add(action) {
    await this._store.putAction({ ...action, key: randomId(), at: new Date().toISOString() });
    await this._changed();
    this.run();
  }

  /** @param {Action} action */
  async remove(action) {
    await this._store.deleteAction(Number(action.seq));
    await this._changed();
  }

  /** Send what waits. Returns when nothing can be sent now. */
  async run() {
    if (this._isRunning) return;
    this._isRunning = true;
    clearTimeout(this._timer);
    try {
      await this.load();
      let action;
      while (this._connection.isLive && (action = nextAction(this.actions, Date.now()))) await this._send(action);
    } catch (error) {
      if (!(error instanceof Disconnected)) throw error;
      if (this._connection.isLive) this._timer = setTimeout(() => this.run(), SERVER_RETRY); // only an upload failed
    } finally {
      this._isRunning = false;
    }
    const delay = nextDelay(this.actions, Date.now());
    if (delay !== null) this._timer = setTimeout(() => this.run(), delay);
  }

  /** @param {Action} action */
  async _send(action) {
    const refusal = action.kind === 'proof' ? await this._upload(action) : await this._connection.request(message(action));
    if (!refusal) {
      await this._store.deleteAction(Number(action.seq));
      return this._changed(action);
    }
    const { put, remove } = refuse(await this._store.actions(), action, refusal, Date.now());
    for (const each of remove) await this._store.deleteAction(Number(each.seq));
    for (const each of put) await this._store.putAction(each);
    return this._changed();
  }

  /** @param {Action|null} sent */
  async _changed(sent = null) {
    await this.load();
    await this._onChange(sent);
  }
}

/** @param {Action} action @returns {Record<string, unknown>} its message */
function message({ kind, key, order, at, status, outcome, reason, text, duty }) {
  if (kind === 'duty') return { type: 'duty', ...duty };
  if (kind === 'note') return { type: 'message', order_id: order, text, key };
  return { type: 'status', order_id: order, status, outcome, reason, at };
}

/**
 * Returns a function that uploads proofs.
 * @param {string} service the service's base URL @param {string} token the driver's
 * @returns {(action: Action) => Promise<Refusal|null>}
 */
export function uploader(service, token) {
  return async ({ order, key, proof, stop, at, value, file }) => {
    const form = new FormData();
    for (const [name, text] of Object.entries({ kind: proof, stop, at, value })) if (text) form.append(name, text);
    if (file) form.append('file', file, proof);
    const headers = { Authorization: `Bearer ${token}`, 'Idempotency-Key': key };
    const url = new URL(`v1/orders/${order}/proofs`, service);
    const answer = await fetch(url, { method: 'POST', headers, body: form }).catch(() => null);
    if (!answer || answer.status === 401) throw new Disconnected();
    return answer.ok ? null : refusalOf(answer);
  };
}

/** @param {Response} answer @returns {Promise<Refusal|null>} */
async function refusalOf(answer) {
  const problem = await answer.json().catch(() => ({}));
  const code = String(problem.type ?? '').split('/').at(-1)?.replaceAll('-', '_') || 'internal';
  if (code === 'answer_erased') return null; // it was stored, and then erased with the customer's data
  const retryAfter = Number(answer.headers.get('Retry-After')) * 1000 || (answer.status >= 500 ? SERVER_RETRY : 0);
  const detail = problem.errors?.map((/** @type {{detail: string}} */ each) => each.detail).join(' ');
  return { code: answer.status >= 500 ? 'internal' : code, detail: detail || problem.detail || '', retryAfter };
}
