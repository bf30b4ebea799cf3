curl -s "$URL/auth/forgot-password" \
  -H 'Content-Type: application/json' \
  -d '{"email": "ada@example.com"}'
