curl -s -X POST "$URL/oauth/userinfo" \
  -H "Authorization: Bearer $ACCESS_TOKEN"
