const response = await fetch(`${url}/.well-known/jwks.json`);
console.log(JSON.stringify(await response.json(), null, 2));
