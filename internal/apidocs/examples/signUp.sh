curl -s "$URL/auth/signup" \
  -H 'Content-Type: application/json' \
  -d '{"email": "grace@example.com", "password": "correct horse battery staple",
       "firstName": "Grace", "lastName": "Hopper", "verificationCode": "'"$CODE"'"}'
