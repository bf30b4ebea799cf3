const response = await fetch(`${url}/auth/signout`, {
  method: 'POST',
  headers: { Authorization: `Bearer ${accessToken}` },
});
console.log(JSON.stringify(await response.json(), null, 2));
