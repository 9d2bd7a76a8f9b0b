"""The base of the hot endpoints: a view without REST framework's request, negotiation and throttles.

It is an `APIView` by class, so that the OpenAPI schema describes it like any other.
"""

from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from rest_framework.views import APIView

from labeling import errors
from labeling.api import json
from labeling.api.auth import request_user
from labeling.api.errors import as_response
from labeling.models.people import User


class LeanView(APIView):
    """Handlers take (request, user, **route) and return an `HttpResponse`."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:  # type: ignore[override]
        handler = getattr(self, (request.method or "").lower(), None)
        if handler is None:
            return as_response(errors.WrongMethod(f"This route does not take {request.method}."))
        try:
            user: User = request_user(request)
            return handler(request, user, **kwargs)
        except (errors.Refused, RequestDataTooBig) as error:
            return as_response(error)


def body(request: HttpRequest) -> Any:
    """The JSON body; an empty one is an empty object."""
    return json.loads(read(request) or b"{}")


def read(request: HttpRequest) -> bytes:
    try:
        return request.body
    except OSError:
        raise errors.Invalid("The request broke off.", code="broken_request") from None


def respond(value: Any, *, status: int = 200) -> HttpResponse:
    return HttpResponse(json.dumps(value), status=status, content_type="application/json")
