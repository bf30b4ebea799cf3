const response = await fetch(`${url}/.well-known/oauth-authorization-server`);
console.log(JSON.stringify(await response.json(), null, 2));
