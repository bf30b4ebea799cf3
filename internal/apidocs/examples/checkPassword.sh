curl -s "$URL/auth/password-check" \
  -H 'Content-Type: application/json' \
  -d '{"password": "lovelace1", "email": "ada@example.com", "firstName": "Ada", "lastName": "Lovelace"}'
