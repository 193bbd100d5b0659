"""Where the pages are."""

from django.urls import include, path
from wagtail.admin import urls

urlpatterns = [path("", include(urls))]
