/** Notice: tells the driver of news while another app is in front of the page, if the driver has allowed it. */

import { el } from './element.js';

/** @typedef {import('./translations.js').Translations} Translations */

/** Whether the driver can still be asked. Some browsers have no notices, or only for installed pages. */
function canAsk() {
  return globalThis.Notification?.permission === 'default' && 'serviceWorker' in navigator;
}

/** A button that asks, since browsers allow the question only after a tap. @param {Translations} words @returns {HTMLElement|null} */
export function noticeButton(words) {
  if (!canAsk()) return null;
  const ask = async () => {
    await Notification.requestPermission();
    if (!canAsk()) button.remove();
  };
  const button = el('button', { type: 'button', 'data-focus': 'notices', onclick: ask }, words.say('notice.allow'));
  return button;
}

/** @param {Translations} words @param {string[]} news without a customer's words, since a locked phone shows it to everybody */
export async function notice(words, news) {
  if (!document.hidden || globalThis.Notification?.permission !== 'granted') return;
  const registration = await navigator.serviceWorker?.ready;
  const icon = /** @type {HTMLLinkElement|null} */ (document.querySelector('link[rel="apple-touch-icon"]'))?.href;
  const options = { body: news.join(' · '), icon, lang: words.language, tag: 'news', renotify: true };
  await registration?.showNotification(words.say('title'), options);
}
