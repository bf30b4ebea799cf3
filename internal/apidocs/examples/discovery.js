const response = await fetch(`${url}/.well-known/openid-configuration`);
console.log(JSON.stringify(await response.json(), null, 2));
