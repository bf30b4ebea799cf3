# django_middleware.py: in settings.py, MIDDLEWARE = [..., "django_middleware.AccessToken"]
from django.http import HttpResponse

from access_token import Refused, claims_of


class AccessToken:
    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        try:
            request.caller = claims_of(request.headers.get("Authorization"))
        except Refused as refused:
            return HttpResponse(refused.reason, status=refused.status, headers=refused.headers)
        return self.get_response(request)
