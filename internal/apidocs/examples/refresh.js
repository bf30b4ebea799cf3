const response = await fetch(`${url}/auth/refresh-token`, {
  method: 'POST',
  headers: { 'Content-Type': 'application/json' },
  body: JSON.stringify({ refreshToken }),
});
console.log(JSON.stringify(await response.json(), null, 2));
