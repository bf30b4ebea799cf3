curl -s "$URL/auth/reset-password" \
  -H "Authorization: Bearer $ACCESS_TOKEN" \
  -H 'Content-Type: application/json' \
  -d '{"email": "ada@example.com", "oldPassword": "correct horse battery staple", "newPassword": "a staple of correct batteries"}'
