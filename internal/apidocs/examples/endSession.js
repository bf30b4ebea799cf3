const response = await fetch(`${url}/auth/${sessionId}/sessions`, {
  method: 'DELETE',
  headers: { Authorization: `Bearer ${accessToken}` },
});
console.log(JSON.stringify(await response.json(), null, 2));
