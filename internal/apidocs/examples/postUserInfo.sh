curl -s -X POST "$URL/auth/userinfo" \
  -H "Authorization: Bearer $ACCESS_TOKEN"
