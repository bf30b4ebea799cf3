curl -s "$URL/.well-known/jwks.json"
