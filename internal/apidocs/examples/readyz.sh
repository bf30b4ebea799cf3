curl -s "$URL/readyz"
