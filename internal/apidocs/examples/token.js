const response = await fetch(`${url}/oauth/token`, {
  method: 'POST',
  body: new URLSearchParams({
    grant_type: 'authorization_code',
    client_id: 'web',
    redirect_uri: 'https://app.example.com/callback',
    code,
    code_verifier: verifier,
  }),
});
console.log(JSON.stringify(await response.json(), null, 2));
