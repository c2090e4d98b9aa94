/** EventText: server-sent events out of the text they come in (HTML standard, 9.2.6). Pure. */

const LONGEST = 4_000_000; // characters of one event; more is no server of ours

export class EventText {
  constructor() {
    this._rest = '';
    /** @type {string[]} */ this._lines = []; // the data of the event that has begun
    this.retry = 0; // milliseconds to wait after the end, as the other side said last
  }

  /**
   * @param {string} piece of the stream, wherever it was cut
   * @returns {string[]} the data of each event that is complete now
   */
  add(piece) {
    const lines = (this._rest + piece).split(/\r\n|\n|\r(?!$)/);
    this._rest = lines.pop() ?? '';
    if (this._rest.length > LONGEST) throw new RangeError('an event without an end');
    return lines.flatMap((line) => this._line(line));
  }

  /** @param {string} line */
  _line(line) {
    if (line === '') return this._dispatch();
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'data') this._lines.push(value);
    if (name === 'retry' && /^\d+$/.test(value)) this.retry = Number(value);
    return [];
  }

  _dispatch() {
    const data = this._lines.splice(0);
    return data.length ? [data.join('\n')] : [];
  }
}
