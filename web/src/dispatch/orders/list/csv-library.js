/** The library for CSV, loaded when a list is imported. The page is one script in `src/`, so paths begin there. */

/** @returns {Promise<typeof import('papaparse')>} */
export async function loadCsv() {
  const library = await import(new URL('../vendor/papaparse/papaparse.mjs', import.meta.url).href);
  return library.default;
}
