const response = await fetch(`${url}/auth/password-reset/ada@example.com`, {
  method: 'POST',
  headers: { 'Content-Type': 'application/json' },
  body: JSON.stringify({ password: 'a staple of correct batteries', token: code }),
});
console.log(JSON.stringify(await response.json(), null, 2));
