"""Secrets in build args: each reader of an image can read its attestations too."""

from collections.abc import Mapping

from img.domain.history.facts import is_secret_name, secret_values
from img.domain.url import redact_urls

HIDDEN = "xxxxx"
"""The text in place of a secret, as BuildKit has it for passwords in URLs."""


def shown_argument(name: str, value: str) -> str:
    """Return the value of a build arg; HIDDEN if its name says that it is a secret."""
    if is_secret_name(name):
        return HIDDEN
    if name.lower().endswith("_proxy") and "@" in value and "://" not in value:
        return HIDDEN  # a proxy with a password needs no scheme
    return redact_urls(value)


def shown_text(text: str, secrets: Mapping[str, str]) -> str:
    """Return ``text`` of a Dockerfile without credentials in URLs and values of secrets."""
    shown = without_values(redact_urls(text), secrets)
    assert isinstance(shown, str)
    return shown


def without_values(value: object, secrets: Mapping[str, str]) -> object:
    """Return the JSON ``value`` without the values of secret build args, wherever they are."""
    match value:
        case str():
            for secret in secrets:
                value = value.replace(secret, HIDDEN)
            return value
        case list():
            return [without_values(each, secrets) for each in value]
        case dict():
            return {key: without_values(each, secrets) for key, each in value.items()}
        case _:
            return value


__all__ = ["HIDDEN", "secret_values", "shown_argument", "shown_text", "without_values"]
