const response = await fetch(`${url}/auth/consents/calendar`, {
  method: 'DELETE',
  headers: { Authorization: `Bearer ${accessToken}` },
});
console.log(JSON.stringify(await response.json(), null, 2));
