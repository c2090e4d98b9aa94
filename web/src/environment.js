/** Environment: network state and page visibility, as the browser reports them. */

/**
 * @typedef {object} Environment
 * @property {() => boolean} offline
 * @property {(callback: () => void) => void} whenActivated calls back once the user has opened the page, and not before
 *   the caller has had time to add listeners
 * @property {(callback: () => void) => void} afterPaint calls back once the current state has been on the screen
 * @property {(handlers: {online: () => void, offline: () => void, visible: () => void}) => () => void} listen
 *   visible: the page is in the foreground again. Returns a function that removes the listeners.
 */

/** @type {Environment} */
export const browser = {
  offline: () => navigator.onLine === false,
  whenActivated(callback) {
    // browsers also run pages that they prerender because they expect a visit
    const { prerendering } = /** @type {Document & {prerendering?: boolean}} */ (document);
    if (prerendering) document.addEventListener('prerenderingchange', callback, { once: true });
    else queueMicrotask(callback);
  },
  afterPaint(callback) {
    // a page in the background gets no animation frames until it is visible again
    requestAnimationFrame(() => requestAnimationFrame(() => callback()));
  },
  listen({ online, offline, visible }) {
    const end = new AbortController();
    const { signal } = end;
    addEventListener('online', online, { signal });
    addEventListener('offline', offline, { signal });
    addEventListener('pageshow', (event) => event.persisted && visible(), { signal });
    document.addEventListener('visibilitychange', () => document.hidden || visible(), { signal });
    return () => end.abort();
  },
};

/** For a program without a page, such as one run by Node.js. @type {Environment} */
export const headless = {
  offline: () => false, whenActivated: queueMicrotask, afterPaint: queueMicrotask, listen: () => () => {},
};
