"""The API's routes, by app, and the web page for everything else."""

from importlib.util import find_spec

from django.conf import settings
from django.urls import URLPattern, URLResolver, include, path, re_path

from labeling.api import site

urlpatterns: list[URLPattern | URLResolver] = [path("api/v1/", include("labeling.api.urls"))]
if "training" in settings.INSTALLED_APPS and find_spec("training.api.urls"):
    urlpatterns.append(path("api/v1/", include("training.api.urls")))
urlpatterns += [
    re_path(r"^api/", site.no_such_route),
    re_path(r"^assets/", site.no_such_file),
    re_path(r"^", site.page),
]
