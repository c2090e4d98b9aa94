/** Share: the tracking link, by the device's own means or the clipboard. */

import { pageOf } from './link.js';

export class ShareButton {
  /** @param {import('./page.js').Page} page @param {string} link a tracking link @param {() => string} title */
  constructor(page, link, title) {
    this._page = page;
    this._link = pageOf(link);
    this._title = title;
    page.element('share').hidden = false;
    page.element('share').querySelector('button')?.addEventListener('click', () => this._share());
  }

  async _share() {
    this._page.write('shared', '');
    if (navigator.share) {
      try {
        return await navigator.share({ title: this._title(), url: this._link });
      } catch (error) {
        if (/** @type {Error} */ (error).name === 'AbortError') return; // the user has closed the dialogue
      }
    }
    const copied = navigator.clipboard?.writeText(this._link).then(() => 'share.copied') ?? Promise.reject();
    this._page.write('shared', this._page.words.say(await copied.catch(() => 'share.failed')));
  }
}
