curl -s "$URL/auth/$USER_ID/sessions" \
  -H "Authorization: Bearer $ACCESS_TOKEN"
