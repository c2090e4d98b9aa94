/** The customer's page: the order of its address, first from the server's snapshot, then live. */

import { serviceOf } from './link.js';
import { wordsOf } from './page.js';
import { OrderStream } from './stream.js';
import { OrderView } from './view.js';

const snapshot = JSON.parse(document.getElementById('snapshot')?.textContent ?? '');
const stream = new OrderStream(location.href, { snapshot });

const words = wordsOf(document);
const shop = document.getElementById('tracker')?.dataset.shop;
new OrderView(document, stream, {
  words,
  service: serviceOf(location.href),
  link: location.href,
  onCard: ({ headline }) => {
    const title = shop ? words.say('title.shop', { headline, shop }) : words.say('title', { headline });
    if (document.title !== title) document.title = title;
  },
});
