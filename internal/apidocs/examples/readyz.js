const response = await fetch(`${url}/readyz`);
console.log(JSON.stringify(await response.json(), null, 2));
