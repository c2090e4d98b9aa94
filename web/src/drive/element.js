/** Element: builds parts of the document. Texts are always text, never HTML. */

/** @typedef {Node|string|null|undefined|false} Child */

/**
 * @param {string} tag such as `button.primary`
 * @param {Record<string, unknown>} [properties] `on…`: a listener; `data-…`, `aria-…`, `role` and the like: attributes;
 *   false, null and undefined are left out
 * @param {...Child} children
 * @returns {HTMLElement}
 */
export function el(tag, properties = {}, ...children) {
  const [name, ...classes] = tag.split('.');
  const element = document.createElement(name);
  if (classes.length) element.className = classes.join(' ');
  for (const [key, value] of Object.entries(properties)) {
    if (value === false || value === null || value === undefined) continue;
    if (typeof value === 'function') element.addEventListener(key.slice(2), /** @type {EventListener} */ (value));
    else element.setAttribute(key, value === true ? '' : String(value));
  }
  element.append(...present(children));
  return element;
}

/** @param {string} name of an icon in the page's sprite */
export function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
  use.setAttribute('href', `#icon-${name}`);
  svg.setAttribute('aria-hidden', 'true');
  svg.append(use);
  return svg;
}

/** @type {WeakMap<HTMLElement, string>} */
const shown = new WeakMap();

/**
 * Replace the children of an element if its content differs, and keep the focus on what has the same `data-focus`.
 * @param {HTMLElement} element @param {unknown} model what the children show @param {() => Child[]} build
 */
export function renew(element, model, build) {
  const text = JSON.stringify(model);
  if (shown.get(element) === text) return;
  shown.set(element, text);
  const focused = element.contains(document.activeElement) ? document.activeElement : null;
  element.replaceChildren(...present(build()));
  if (!(focused instanceof HTMLElement)) return;
  const same = element.querySelector(`[data-focus="${CSS.escape(focused.dataset.focus ?? '')}"]`);
  const next = same ?? element.querySelector('h2, h3');
  if (next instanceof HTMLElement) next.focus({ preventScroll: true });
}

/** @param {Child[]} children @returns {(Node|string)[]} */
function present(children) {
  return /** @type {(Node|string)[]} */ (children.filter(Boolean));
}
