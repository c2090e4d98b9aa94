// The set-up copies this file beside `vendor/maplibre-gl/maplibre-gl.mjs`. It gives the vendored file the types of its
// npm package; without it the compiler would infer types from the minified source.
export * from 'maplibre-gl';
