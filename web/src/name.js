/** Name: the courier's initial. Pure. */

const CHARACTERS = globalThis.Intl?.Segmenter && new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** @param {string} text @returns {string[]} its grapheme clusters */
function characters(text) {
  return CHARACTERS ? Array.from(CHARACTERS.segment(text), ({ segment }) => segment) : Array.from(text);
}

/** @param {string} name @returns {string} its first character; in upper case if that is a single one too */
export function initial(name) {
  const [first = ''] = characters(name);
  const upper = first.toUpperCase();
  return characters(upper).length === 1 ? upper : first;
}
