curl -s "$URL/auth/consents" \
  -H "Authorization: Bearer $ACCESS_TOKEN"
