curl -s "$URL/auth/verification-mail" \
  -H 'Content-Type: application/json' \
  -d '{"email": "grace@example.com"}'
