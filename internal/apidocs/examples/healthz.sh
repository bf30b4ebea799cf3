curl -s "$URL/healthz"
