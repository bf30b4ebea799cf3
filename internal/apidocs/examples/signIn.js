const response = await fetch(`${url}/auth/signin`, {
  method: 'POST',
  headers: { 'Content-Type': 'application/json' },
  body: JSON.stringify({ email: 'ada@example.com', password: 'correct horse battery staple' }),
});
console.log(JSON.stringify(await response.json(), null, 2));
