curl -s "$URL/oauth/revoke" \
  -d "token=$REFRESH_TOKEN"
