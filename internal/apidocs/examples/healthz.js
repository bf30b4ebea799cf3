const response = await fetch(`${url}/healthz`);
console.log(JSON.stringify(await response.json(), null, 2));
