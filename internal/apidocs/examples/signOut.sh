curl -s -X POST "$URL/auth/signout" \
  -H "Authorization: Bearer $ACCESS_TOKEN"
