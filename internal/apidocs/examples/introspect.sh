curl -s "$URL/oauth/introspect" \
  -u "reports:$CLIENT_SECRET" \
  -d "token=$ACCESS_TOKEN"
