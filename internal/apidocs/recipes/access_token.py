# access_token.py tells whose access token a request brings. pip install "pyjwt[crypto]"
import jwt

ISSUER = "http://localhost:8080"
AUDIENCE = "https://api.example"
keys = jwt.PyJWKClient(ISSUER + "/.well-known/jwks.json")


class Refused(Exception):
    def __init__(self, status, reason, headers):
        super().__init__(reason)
        self.status, self.reason, self.headers = status, reason, headers


def claims_of(authorization):
    """Takes an Authorization header; raises Refused."""
    scheme, _, token = (authorization or "").partition(" ")
    try:
        if scheme.lower() != "bearer" or jwt.get_unverified_header(token).get("typ") != "at+jwt":
            raise jwt.InvalidTokenError
        return jwt.decode(
            token,
            keys.get_signing_key_from_jwt(token).key,
            algorithms=["ES256"],
            issuer=ISSUER,
            audience=AUDIENCE,
            options={"require": ["iss", "aud", "sub", "exp"]},
        )
    except jwt.PyJWTError as error:
        if isinstance(error.__context__, OSError):  # without keys nothing is known of the token
            raise Refused(503, "Try again.", {"Retry-After": "2"})
        raise Refused(401, "Not a valid access token.", {"WWW-Authenticate": 'Bearer error="invalid_token"'})
