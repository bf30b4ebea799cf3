curl -s -X DELETE "$URL/auth/consents/calendar" \
  -H "Authorization: Bearer $ACCESS_TOKEN"
