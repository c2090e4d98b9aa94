/** The customer's page: the order of its address, first from the server's snapshot, then live. */

import { serviceOf } from './link.js';
import { OrderStream } from './stream.js';
import { OrderView } from './view.js';

const snapshot = JSON.parse(document.getElementById('snapshot')?.textContent ?? '');
const stream = new OrderStream(location.href, { snapshot });

new OrderView(document, stream, {
  service: serviceOf(location.href),
  onCard: ({ headline }) => {
    const title = `${headline} · Track your order`;
    if (document.title !== title) document.title = title;
  },
});
