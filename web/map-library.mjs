// What the pages use of MapLibre GL. The build hook bundles it from the library's sources, without the rest, and so
// that page and worker load the code that both need only once. Whoever needs more adds it here and in
// types/maplibre-gl.d.mts.
export { Map } from './node_modules/maplibre-gl/src/ui/map.ts';
export { Marker } from './node_modules/maplibre-gl/src/ui/marker.ts';
export { LngLatBounds } from './node_modules/maplibre-gl/src/geo/lng_lat_bounds.ts';
export { AttributionControl } from './node_modules/maplibre-gl/src/ui/control/attribution_control.ts';
export { NavigationControl } from './node_modules/maplibre-gl/src/ui/control/navigation_control.ts';
