const response = await fetch(`${url}/auth/userinfo`, {
  headers: { Authorization: `Bearer ${accessToken}` },
});
console.log(JSON.stringify(await response.json(), null, 2));
