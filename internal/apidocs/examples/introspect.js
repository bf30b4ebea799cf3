const response = await fetch(`${url}/oauth/introspect`, {
  method: 'POST',
  headers: { Authorization: `Basic ${btoa(`reports:${clientSecret}`)}` },
  body: new URLSearchParams({ token: accessToken }),
});
console.log(JSON.stringify(await response.json(), null, 2));
