/** SseParser: the data of server-sent events (HTML standard, 9.2.6). Pure. */

const MAX_LENGTH = 4_000_000; // characters of one line; the service sends far shorter ones

export class SseParser {
  constructor() {
    this._rest = '';
    /** @type {string[]} */ this._data = []; // lines of the current event
    this.retry = 0; // milliseconds before reconnecting, as the server last asked
  }

  /**
   * @param {string} chunk of the stream, cut anywhere
   * @returns {string[]} the data of each event that is now complete
   */
  add(chunk) {
    const lines = (this._rest + chunk).split(/\r\n|\n|\r(?!$)/);
    this._rest = lines.pop() ?? '';
    if (this._rest.length > MAX_LENGTH) throw new RangeError(`a line of more than ${MAX_LENGTH} characters`);
    return lines.flatMap((line) => this._line(line));
  }

  /** @param {string} line */
  _line(line) {
    if (line === '') return this._dispatch();
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'data') this._data.push(value);
    if (name === 'retry' && /^\d+$/.test(value)) this.retry = Number(value);
    return [];
  }

  _dispatch() {
    const data = this._data.splice(0);
    return data.length ? [data.join('\n')] : [];
  }
}
