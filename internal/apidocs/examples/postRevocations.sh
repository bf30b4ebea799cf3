curl -s "$URL/oauth/revocations" \
  -d client_id=reports \
  --data-urlencode "client_secret=$CLIENT_SECRET"
