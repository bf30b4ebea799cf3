const response = await fetch(`${url}/auth/reset-password`, {
  method: 'POST',
  headers: { Authorization: `Bearer ${accessToken}`, 'Content-Type': 'application/json' },
  body: JSON.stringify({
    email: 'ada@example.com',
    oldPassword: 'correct horse battery staple',
    newPassword: 'a staple of correct batteries',
  }),
});
console.log(JSON.stringify(await response.json(), null, 2));
