/** The dispatcher's board. */

import { Board } from './dispatch/board.js';
import { Translations } from './drive/translations.js';

const { language, messages, locale } = JSON.parse(document.getElementById('words')?.textContent ?? '');

new Board(document, new Translations(language, messages, locale)).start();
