const response = await fetch(`${url}/auth/verification-mail`, {
  method: 'POST',
  headers: { 'Content-Type': 'application/json' },
  body: JSON.stringify({ email: 'grace@example.com' }),
});
console.log(JSON.stringify(await response.json(), null, 2));
