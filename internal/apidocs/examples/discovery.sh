curl -s "$URL/.well-known/openid-configuration"
