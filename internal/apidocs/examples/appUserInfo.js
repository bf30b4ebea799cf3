const response = await fetch(`${url}/oauth/userinfo`, {
  headers: { Authorization: `Bearer ${accessToken}` },
});
console.log(JSON.stringify(await response.json(), null, 2));
