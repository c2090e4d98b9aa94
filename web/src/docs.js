/** The API's documentation: Swagger UI, served from here. */

const place = /** @type {HTMLElement} */ (document.getElementById('docs'));

// The bundle is a classic script that sets a global. Both scripts are deferred, and the bundle runs first.
window.SwaggerUIBundle({
  domNode: place,
  url: place.dataset.description ?? '',
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: 'list',
  defaultModelsExpandDepth: 0,
  persistAuthorization: false, // a key stays in this page's memory
  validatorUrl: null, // sends nothing to a validator
});
