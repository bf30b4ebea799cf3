curl -s "$URL/auth/signin" \
  -H 'Content-Type: application/json' \
  -d '{"email": "ada@example.com", "password": "correct horse battery staple"}'
