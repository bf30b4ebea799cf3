curl -s "$URL/oauth/revocations" \
  -u "reports:$CLIENT_SECRET"
