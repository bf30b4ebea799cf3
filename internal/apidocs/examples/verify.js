const response = await fetch(`${url}/auth/verify?email=grace@example.com&verificationCode=${code}`);
console.log(JSON.stringify(await response.json(), null, 2));
