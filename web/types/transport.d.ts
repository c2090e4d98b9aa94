/** What a transport offers the stream. */

import type { Message } from './order.js';

/** One connection, or one series of requests. */
export type Session = {
  send: (message: object) => void;
  close: () => void;
};

/** Not called after `closed`, nor after the session was closed on this side. */
export type Handlers = {
  message: (message: Message) => void;
  /** The server answered without a message. */
  alive: () => void;
  /** With the WebSocket close code; `retryAfter` in milliseconds, as the server asked. */
  closed: (code: number, retryAfter?: number) => void;
};

/**
 * `link` is `https://…/v1/track/<token>`. `visit` is an id of this page load, for connections without a cursor.
 */
export type Transport = (link: string, cursor: string, handlers: Handlers, visit?: string) => Session;
