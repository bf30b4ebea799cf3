const response = await fetch(`${url}/auth/password-check`, {
  method: 'POST',
  headers: { 'Content-Type': 'application/json' },
  body: JSON.stringify({
    password: 'lovelace1', email: 'ada@example.com', firstName: 'Ada', lastName: 'Lovelace',
  }),
});
console.log(JSON.stringify(await response.json(), null, 2));
