const response = await fetch(`${url}/auth/forgot-password`, {
  method: 'POST',
  headers: { 'Content-Type': 'application/json' },
  body: JSON.stringify({ email: 'ada@example.com' }),
});
console.log(JSON.stringify(await response.json(), null, 2));
