"""Pages outside the API: the frontend's single page, for every route that it knows itself."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from labeling import errors
from labeling.api.errors import as_response


def page(request: HttpRequest) -> HttpResponse:
    index = settings.FRONTEND / "index.html"
    if not index.is_file():
        return HttpResponse("The frontend is not built. Run: make build", status=503, content_type="text/plain")
    response = HttpResponse(index.read_bytes(), content_type="text/html; charset=utf-8")
    response["Cache-Control"] = "no-cache"
    return response


def no_such_file(request: HttpRequest) -> HttpResponse:
    """A page that was open while a new build came asks for files that are gone."""
    return HttpResponse("There is no such file. Reload the page.", status=404, content_type="text/plain")


def no_such_route(request: HttpRequest) -> HttpResponse:
    return as_response(errors.Missing("The API has no such route.", code="no_such_route"))
