const response = await fetch(`${url}/oauth/revoke`, {
  method: 'POST',
  body: new URLSearchParams({ token: refreshToken }),
});
console.log(JSON.stringify(await response.json(), null, 2));
