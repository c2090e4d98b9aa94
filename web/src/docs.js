// The API's documentation: Swagger UI over our own description, all of it from this server.

const place = document.getElementById('docs');

// The bundle is a classic script and sets a global; both are deferred, and it comes first.
window.SwaggerUIBundle({
  domNode: place,
  url: place.dataset.description,
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: 'list',
  defaultModelsExpandDepth: 0,
  persistAuthorization: false, // a key stays in this page's memory
  validatorUrl: null, // nothing is sent anywhere else
});
