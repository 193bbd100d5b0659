"""Conversion of HTTP statuses and of exceptions of oras, requests and urllib3 to RegistryError."""

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from img.adapters.registry.challenges import parse_challenges
from img.adapters.registry.rate_limit import RateLimit
from img.application.ports.registry import RegistryError, RegistryUnreachable, Unauthorized
from img.domain.json_text import InvalidJson, parse_json
from img.domain.reference import DOCKER_HUB_SERVER, server_of

if TYPE_CHECKING:
    import requests

PASSING = frozenset({408, 429, 499, 500, 502, 503, 504, 522})  # go-containerregistry, options.go
_REASON_LIMIT = 4096  # characters of a message that are shown
_BODY_LIMIT = 64 * 1024  # bytes of an error's text that are read


class PassingFailure(RegistryError):
    """A temporary refusal; ``wait_s`` is the pause that the registry requests."""

    def __init__(self, message: str, *, hint: str | None, wait_s: float) -> None:
        super().__init__(message, hint=hint, retryable=True)
        self.wait_s = wait_s


class NoAnswer(RegistryUnreachable):
    """No response within the timeout."""

    def __init__(self, host: str) -> None:
        super().__init__(f"registry {host} does not answer in time", retryable=True)


def refusal(response: "requests.Response", what: str, host: str) -> RegistryError:
    """Return the error for ``response`` to the action ``what``. Consumes the body."""
    status = response.status_code
    message = f"{what}: {_reason(response)}"
    if status in {401, 403}:
        return Unauthorized(message, hint=login_hint(host))
    if status not in PASSING:
        # The texts of Amazon and Harbor; their error codes differ.
        is_taken = "immutable" in message.lower()
        return RegistryError(message, hint="push it under another tag" if is_taken else None)
    wait_s = _retry_after_s(response.headers.get("Retry-After", ""))
    if status == 429:
        return _too_many(message, RateLimit.of(response.headers), host, wait_s)
    return PassingFailure(message, hint=None, wait_s=wait_s)


def _too_many(message: str, limit: RateLimit | None, host: str, wait_s: float) -> PassingFailure:
    """Return the error for an exceeded limit, with possible remedies."""
    known = f"the limit is {limit}; " if limit else ""
    ways = f"wait, log in, which may raise it: `{_login(host)}`, or use a mirror (registries.conf)"
    if limit is not None and limit.remaining == 0:
        wait_s = max(wait_s, float(limit.window_s))  # no request succeeds earlier
    return PassingFailure(message, hint=known + ways, wait_s=wait_s)


def _retry_after_s(text: str) -> float:
    """Return the pause in seconds, given as a number or a date (RFC 9110, "Retry-After")."""
    if text.isdecimal():
        return float(text)
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return 0.0


def unreachable(error: Exception, host: str) -> RegistryUnreachable:
    """Return the error for a connection to ``host`` that failed, or broke."""
    import ssl  # slow, but loaded already when there is a connection

    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            message = f"registry {host} is not to be trusted: {cause.verify_message}"
            return RegistryUnreachable(message, hint=_insecure(host))
        if isinstance(cause, ssl.SSLError) and "WRONG_VERSION_NUMBER" in str(cause):
            return RegistryUnreachable(f"registry {host} speaks no https", hint=_insecure(host))
    names = {type(cause).__name__ for cause in causes}
    reason = next(filter(None, map(_system_reason, reversed(causes))), str(causes[-1]))
    if names & {"ConnectTimeout", "ConnectTimeoutError"}:
        # The wait was long already.
        return RegistryUnreachable(f"registry {host} cannot be reached: connection timed out")
    if names & {"ReadTimeout", "ReadTimeoutError"}:
        return NoAnswer(host)
    if "ProxyError" in names:
        return RegistryUnreachable(f"registry {host} cannot be reached through the proxy: {reason}")
    if names & {"NameResolutionError", "gaierror"}:
        return RegistryUnreachable(
            f"registry {host} cannot be reached: {reason}",
            hint="check the spelling of the registry's name, and the network",
            retryable="Temporary failure" in str(causes[-1]),
        )
    if names & {"BadStatusLine", "LineTooLong", "UnknownProtocol"}:
        return RegistryUnreachable(f"registry {host} answers in no HTTP", retryable=True)
    if names & {"InvalidURL", "LocationParseError", "TooManyRedirects"}:
        return RegistryUnreachable(f"registry {host} cannot be used: {reason}")
    return RegistryUnreachable(f"registry {host} cannot be reached: {reason}", retryable=True)


def login_hint(host: str) -> str:
    """Return the remedy for an Unauthorized of ``host``."""
    return f"the repository may not exist, or need a login: `{_login(host)}`"


def limited_body(response: "requests.Response", limit: int = _BODY_LIMIT) -> bytes:
    """Return at most ``limit`` bytes of the body, decoded, and release the connection."""
    try:
        body: bytes = response.raw.read(limit + 1, decode_content=True)
        if len(body) > limit:
            response.close()
    except Exception:  # a broken text of an error is no separate error
        response.close()
        return b""
    return body[:limit]


def authenticate_headers(response: "requests.Response") -> list[str]:
    """Return the WWW-Authenticate headers; requests would join them into one."""
    headers: list[str] = response.raw.headers.getlist("WWW-Authenticate")
    return headers


def _reason(response: "requests.Response") -> str:
    """Return the registry's message (distribution-spec, "Error Codes"), or the HTTP status."""
    for challenge in parse_challenges(authenticate_headers(response)):
        if error := challenge.parameters.get("error"):
            return f"{error}: authorization failed"
    status = f"{response.status_code} {response.reason or ''}".strip()
    try:
        document = parse_json(limited_body(response))
    except InvalidJson:
        return status
    match document:
        case {"errors": [*errors]}:
            texts = [_error_text(error) for error in errors if isinstance(error, dict)]
            return "; ".join(texts)[:_REASON_LIMIT] or status
    return status


def _error_text(error: Mapping[str, object]) -> str:
    code = str(error.get("code") or "error").lower().replace("_", " ")
    message = str(error.get("message") or error.get("detail") or "")
    return f"{code}: {message}" if message else code


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and its causes, which requests and urllib3 hide in three ways."""
    current: object = error
    while isinstance(current, BaseException):
        yield current
        wrapped = next((each for each in current.args if isinstance(each, BaseException)), None)
        reason = getattr(current, "reason", None)
        current = next(
            (c for c in (reason, wrapped, current.__cause__) if isinstance(c, BaseException)), None
        )


def _system_reason(error: BaseException) -> str:
    text = error.strerror if isinstance(error, OSError) else None
    return text[:1].lower() + text[1:] if text else ""


def _login(host: str) -> str:
    server = server_of(host)
    return "img login" if server == DOCKER_HUB_SERVER else f"img login {server}"


def _insecure(host: str) -> str:
    return f"if that is meant so: --insecure-registry {host}"
