const response = await fetch(`${url}/auth/consents`, {
  headers: { Authorization: `Bearer ${accessToken}` },
});
console.log(JSON.stringify(await response.json(), null, 2));
