/** Orders: what the driver has to do, from the service's orders and from the actions that wait. Pure. */

/** @typedef {import('../../types/driver.js').Action} Action */
/** @typedef {import('../../types/driver.js').AssignedOrder} AssignedOrder */
/** @typedef {import('../../types/driver.js').ProofKind} ProofKind */
/** @typedef {import('../../types/driver.js').Stop} Stop */
/** @typedef {import('../../types/driver.js').StopKind} StopKind */

/**
 * @typedef {object} Task an order and its next stop
 * @property {AssignedOrder} order
 * @property {StopKind} kind
 * @property {Stop} stop
 * @property {string} title what the driver knows the order by
 * @property {ProofKind[]} missing what the stop still needs
 * @property {ProofKind[]} queued proofs of the stop that wait to be sent
 * @property {boolean} isOver the driver has ended it, and the service does not know yet
 * @property {boolean} isWaiting the service does not know all actions yet
 */

const PROOFS = /** @type {const} */ (['photo', 'signature', 'barcode', 'pin']);

/**
 * @param {AssignedOrder[]} orders in stop sequence @param {Action[]} actions oldest first
 * @returns {Task[]} those that are over last
 */
export function tasksOf(orders, actions) {
  const tasks = orders.map((order) => taskOf(order, actions.filter((each) => each.order === order.id && !each.refusal)));
  return [...tasks.filter(({ isOver }) => !isOver), ...tasks.filter(({ isOver }) => isOver)];
}

/** @param {AssignedOrder} order @param {Action[]} waiting its actions @returns {Task} */
function taskOf(order, waiting) {
  const status = waiting.findLast(({ kind }) => kind === 'status')?.status ?? order.status;
  const kind = status === 'assigned' ? 'pickup' : 'dropoff';
  const queued = proofs((proof) => waiting.some((each) => each.proof === proof && each.stop === kind));
  const needed = order.missing_proofs?.[kind] ?? {};
  return {
    order,
    kind,
    stop: order[kind],
    title: titleOf(order),
    missing: proofs((proof) => Boolean(needed[proof]) && !queued.includes(proof)),
    queued,
    isOver: status === 'delivered' || status === 'failed',
    isWaiting: waiting.some((each) => each.kind !== 'note'),
  };
}

/** @param {(proof: ProofKind) => boolean} isWanted @returns {ProofKind[]} */
function proofs(isWanted) {
  return PROOFS.filter(isWanted);
}

/** @param {AssignedOrder} order @returns {string} */
export function titleOf({ reference, dropoff, id }) {
  return reference || dropoff.address || id;
}

/** The ids of the orders that are new. @param {AssignedOrder[]} before @param {AssignedOrder[]} after */
export function newOrders(before, after) {
  const known = new Set(before.map(({ id }) => id));
  return after.map(({ id }) => id).filter((id) => !known.has(id));
}

/**
 * How to reach the customer: a phone number, or a web address.
 * @param {AssignedOrder} order @returns {{href: string, text: string}|null}
 */
export function contactOf({ contact, customer }) {
  const text = contact?.trim() || customer?.phone?.trim();
  if (!text) return null;
  if (/^https?:\/\//i.test(text)) return { href: text, text };
  const number = text.replace(/[^\d+*#]/g, '');
  return number ? { href: `tel:${number}`, text } : null;
}

/**
 * Links to apps that guide the driver.
 * @param {Stop} stop @param {string} vehicle @returns {{name: string, href: string}[]}
 */
export function navigationLinks({ lat, lon, address }, vehicle) {
  const place = `${lat},${lon}`;
  const label = encodeURIComponent(address ?? place);
  const google = { bicycle: 'bicycling', foot: 'walking' }[vehicle] ?? 'driving';
  const apple = { foot: 'w', bicycle: 'c' }[vehicle] ?? 'd';
  return [
    { name: 'Google Maps', href: `https://www.google.com/maps/dir/?api=1&destination=${place}&travelmode=${google}` },
    { name: 'Apple Maps', href: `https://maps.apple.com/?daddr=${place}&dirflg=${apple}` },
    { name: 'Waze', href: `https://waze.com/ul?ll=${place}&navigate=yes` },
    { name: '', href: `geo:${place}?q=${place}(${label})` },
  ];
}
