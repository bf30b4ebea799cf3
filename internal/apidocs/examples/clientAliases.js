const response = await fetch(`${url}/auth/clientAliases`);
console.log(JSON.stringify(await response.json(), null, 2));
