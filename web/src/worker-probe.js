/** Loaded as a worker from another site's page, to see whether that page lets one start. */

postMessage(true);
