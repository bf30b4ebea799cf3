const response = await fetch(`${url}/oauth/userinfo`, {
  method: 'POST',
  headers: { Authorization: `Bearer ${accessToken}` },
});
console.log(JSON.stringify(await response.json(), null, 2));
