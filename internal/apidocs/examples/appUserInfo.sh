curl -s "$URL/oauth/userinfo" \
  -H "Authorization: Bearer $ACCESS_TOKEN"
