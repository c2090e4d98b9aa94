/** Started as a worker on another site's page, to test whether that page allows it. */

postMessage(true);
