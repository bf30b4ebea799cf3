curl -s "$URL/.well-known/oauth-authorization-server"
