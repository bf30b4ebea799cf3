curl -s "$URL/auth/refresh-token" \
  -H 'Content-Type: application/json' \
  -d '{"refreshToken": "'"$REFRESH_TOKEN"'"}'
