curl -s "$URL/auth/userinfo" \
  -H "Authorization: Bearer $ACCESS_TOKEN"
