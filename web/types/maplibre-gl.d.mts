// The set-up copies this file beside `vendor/maplibre-gl/maplibre-gl.mjs`. It gives what `map-library.mjs` bundles the
// types of its npm package; without it the compiler would infer types from the minified source.
export { AttributionControl, LngLatBounds, Map, Marker, NavigationControl } from 'maplibre-gl';
export type { ErrorEvent, ExpressionSpecification, GeoJSONSource, LayerSpecification, LineLayerSpecification, PaddingOptions, StyleSpecification } from 'maplibre-gl';
