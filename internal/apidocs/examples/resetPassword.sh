curl -s "$URL/auth/password-reset/ada@example.com" \
  -H 'Content-Type: application/json' \
  -d '{"password": "a staple of correct batteries", "token": "'"$CODE"'"}'
