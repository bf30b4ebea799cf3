curl -s "$URL/auth/verify?email=grace@example.com&verificationCode=$CODE"
