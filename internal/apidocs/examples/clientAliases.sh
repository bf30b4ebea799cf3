curl -s "$URL/auth/clientAliases"
