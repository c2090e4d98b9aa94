/** Libraries that only orders need, loaded when they are. The page is one script in `src/`, so paths begin there. */

/** @typedef {{encode: (text: string, options: {ecc: string, border: number}) => {size: number, data: boolean[][]}}} QrLibrary */

/** @returns {Promise<QrLibrary>} */
export function loadQr() {
  return import(new URL('../vendor/uqr/uqr.mjs', import.meta.url).href);
}

/** @returns {Promise<typeof import('papaparse')>} */
export async function loadCsv() {
  const library = await import(new URL('../vendor/papaparse/papaparse.mjs', import.meta.url).href);
  return library.default;
}
