// Starts Swagger UI on this server's own document. What is tried goes to this server, without the reader's
// cookies and with the Bearer alone; signing in or refreshing here fills the Bearer in.
const viewer = SwaggerUIBundle({
  url: '/docs/openapi.yaml',
  dom_id: '#viewer',
  deepLinking: true,
  validatorUrl: null,
  defaultModelsExpandDepth: 0,
  requestInterceptor(request) {
    request.credentials = 'omit';
    return request;
  },
  responseInterceptor(response) {
    const token = response.ok && response.body?.data?.access_token;
    if (token) viewer.preauthorizeApiKey('bearer', token);
    return response;
  },
});
