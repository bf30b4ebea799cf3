curl -s -X DELETE "$URL/auth/$SESSION_ID/sessions" \
  -H "Authorization: Bearer $ACCESS_TOKEN"
