"""Settings of the application."""

import os

SECRET_KEY = os.environ.get("SECRET_KEY", "not one")
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = [
    "django.contrib.staticfiles",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
]
MIDDLEWARE = ["whitenoise.middleware.WhiteNoiseMiddleware"]
ROOT_URLCONF = "hc.wsgi"
STATIC_URL = "/static/"
STATIC_ROOT = "/opt/healthchecks/static-collected"
STATICFILES_DIRS = ["/opt/healthchecks/static"]
