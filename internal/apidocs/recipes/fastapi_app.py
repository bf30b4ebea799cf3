# fastapi_app.py is an API on FastAPI. pip install fastapi uvicorn; uvicorn fastapi_app:app --port 8081
from fastapi import Depends, FastAPI, Header, HTTPException

from access_token import Refused, claims_of

app = FastAPI()


def caller(authorization: str = Header("")):
    try:
        return claims_of(authorization)
    except Refused as refused:
        raise HTTPException(refused.status, refused.reason, refused.headers)


@app.get("/hello")
def hello(claims: dict = Depends(caller)):
    return {"hello": claims["sub"]}
