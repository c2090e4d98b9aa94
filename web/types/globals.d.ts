/** What scripts outside our modules define. */

interface Window {
  /** `vendor/swagger-ui-dist/swagger-ui-bundle.js`, a classic script; its package has no types. */
  SwaggerUIBundle(options: {
    domNode: Element;
    url: string;
    deepLinking?: boolean;
    displayRequestDuration?: boolean;
    docExpansion?: 'list' | 'full' | 'none';
    defaultModelsExpandDepth?: number;
    persistAuthorization?: boolean;
    validatorUrl?: string | null;
  }): void;
}
