const response = await fetch(`${url}/oauth/revocations`, {
  method: 'POST',
  body: new URLSearchParams({ client_id: 'reports', client_secret: clientSecret }),
});
console.log(await response.text());
