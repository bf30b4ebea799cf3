const response = await fetch(`${url}/oauth/revocations`, {
  headers: { Authorization: `Basic ${btoa(`reports:${clientSecret}`)}` },
});
console.log(await response.text());
