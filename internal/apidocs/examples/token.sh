curl -s "$URL/oauth/token" \
  -d grant_type=authorization_code \
  -d client_id=web \
  -d redirect_uri=https://app.example.com/callback \
  -d "code=$CODE" \
  -d "code_verifier=$VERIFIER"
