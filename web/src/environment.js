/** Surroundings: what a browser tells of the network and of being looked at. */

/**
 * @typedef {object} Surroundings
 * @property {() => boolean} offline
 * @property {(act: () => void) => void} whenOpened calls once somebody has opened the page, not before the caller has
 *   had time to listen
 * @property {(act: () => void) => void} whenShown calls once what is drawn now has been on the screen
 * @property {(heard: {online: () => void, offline: () => void, looked: () => void}) => () => void} listen
 *   looked: the page is looked at again; the answer ends the listening
 */

/** @type {Surroundings} */
export const browser = {
  offline: () => navigator.onLine === false,
  whenOpened(act) {
    // browsers run a page that they only expect to be opened, too
    const { prerendering } = /** @type {Document & {prerendering?: boolean}} */ (document);
    if (prerendering) document.addEventListener('prerenderingchange', act, { once: true });
    else queueMicrotask(act);
  },
  whenShown(act) {
    // a page in the background draws nothing: browsers keep its animation frames until it is looked at
    requestAnimationFrame(() => requestAnimationFrame(() => act()));
  },
  listen({ online, offline, looked }) {
    const end = new AbortController();
    const { signal } = end;
    addEventListener('online', online, { signal });
    addEventListener('offline', offline, { signal });
    addEventListener('pageshow', (event) => event.persisted && looked(), { signal });
    document.addEventListener('visibilitychange', () => document.hidden || looked(), { signal });
    return () => end.abort();
  },
};

/** Where there is no page: a program. @type {Surroundings} */
export const anywhere = {
  offline: () => false, whenOpened: queueMicrotask, whenShown: queueMicrotask, listen: () => () => {},
};
