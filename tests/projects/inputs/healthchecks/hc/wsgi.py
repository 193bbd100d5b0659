"""The application, and its only page."""

import os

from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hc.settings")
urlpatterns = [path("", lambda _: HttpResponse("log in to healthchecks"))]
application = get_wsgi_application()
