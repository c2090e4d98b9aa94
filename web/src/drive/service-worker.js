/**
 * The service worker stores the page, so that it opens without a network. It stores no answer of the API.
 *
 * The service puts `SHELL` in front of it: a new version of any file is a new worker with a store of its own. What the
 * driver did is in IndexedDB, which no update touches.
 */

/** @type {any} a ServiceWorkerGlobalScope, whose types exclude those of pages */
const worker = globalThis;
/** @type {{version: string, page: string, files: string[]}} page, files: paths of the page and of what it needs */
const SHELL = worker.SHELL;
const CACHE = `drive-${SHELL.version}`;

worker.addEventListener('install', (/** @type {any} */ event) => event.waitUntil(install()));
worker.addEventListener('activate', (/** @type {any} */ event) => event.waitUntil(activate()));
worker.addEventListener('fetch', (/** @type {any} */ event) => {
  const { pathname, origin } = new URL(event.request.url);
  if (event.request.method !== 'GET' || origin !== location.origin) return;
  if (event.request.mode === 'navigate' ? pathname === SHELL.page : SHELL.files.includes(pathname)) {
    event.respondWith(stored(event.request, pathname));
  }
});

worker.addEventListener('notificationclick', (/** @type {any} */ event) => {
  event.notification.close();
  event.waitUntil(showPage());
});

/** Bring the page to the front, or open it. */
async function showPage() {
  const [page] = await worker.clients.matchAll({ type: 'window' });
  return page ? page.focus() : worker.clients.openWindow(SHELL.page);
}

async function install() {
  const cache = await caches.open(CACHE);
  await cache.addAll([SHELL.page, ...SHELL.files].map((url) => new Request(url, { cache: 'reload' })));
  await worker.skipWaiting(); // an open page has loaded all of its scripts, so it needs no file of its own version
}

async function activate() {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name.startsWith('drive-') && name !== CACHE).map((name) => caches.delete(name)));
  await worker.clients.claim();
}

/** @param {Request} request @param {string} pathname */
async function stored(request, pathname) {
  const cache = await caches.open(CACHE);
  return (await cache.match(pathname)) ?? fetch(request);
}
