const response = await fetch(`${url}/auth/signup`, {
  method: 'POST',
  headers: { 'Content-Type': 'application/json' },
  body: JSON.stringify({
    email: 'grace@example.com',
    password: 'correct horse battery staple',
    firstName: 'Grace',
    lastName: 'Hopper',
    verificationCode: code,
  }),
});
console.log(JSON.stringify(await response.json(), null, 2));
