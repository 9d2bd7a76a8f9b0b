"""Every route of the labeling side, grouped by who uses it."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
