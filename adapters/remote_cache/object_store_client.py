"""Clients of the library obstore for buckets and containers."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from img.application.ports.remote_cache import RemoteCacheError
from img.domain.go.booleans import parse_boolean
from img.domain.options.remote_cache import ObjectStoreCache
from img.domain.proxies import ProxyRules

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_RETRY_S = 60.0  # for all tries of one request
_SILENCE_S = 30.0
_TRIES = 5
_PROFILE_TTL = timedelta(minutes=10)  # boto3 renews credentials that are valid for less


def open_stores(
    place: ObjectStoreCache, environment: Mapping[str, str], silence_s: float = _SILENCE_S
) -> "tuple[ObjectStore, ObjectStore]":
    """Return a client for uploads, and one for requests without a body.

    Both end a request when the peer takes no byte of it for 30 seconds (TCP_USER_TIMEOUT, a default
    of obstore's library reqwest). The second one ends a request after ``silence_s`` without a byte
    of its answer; the time of sending would count as well. Raises RemoteCacheError, ValueError and
    the errors of obstore.
    """
    provider = aws_profile(place, environment)
    return (
        _client(place, environment, provider),
        _client(place, environment, provider, read_timeout=f"{silence_s}s"),
    )


def container_creator(place: ObjectStoreCache, environment: Mapping[str, str]) -> "ObjectStore":
    """Return a client in which writing the object ``""`` makes the container of Azure.

    obstore has no function for it, but its requests keep the query of the endpoint, and a PUT of
    the container itself with ``restype=container`` is "Create Container" of Azure's REST API; so
    obstore's credentials serve for it too. Raises as open_stores.
    """
    url = urlsplit(place.access["account_url"])
    query = "&".join(filter(None, (url.query, "restype=container")))
    marked = url._replace(query=query).geturl()
    return _client(replace(place, access={**place.access, "account_url": marked}), environment)


def _client(
    place: ObjectStoreCache,
    environment: Mapping[str, str],
    provider: object = None,
    **limits: str,
) -> "ObjectStore":
    from obstore.store import AzureStore, GCSStore, S3Store

    kinds: dict[str, Any] = {"s3": S3Store, "azblob": AzureStore, "gs": GCSStore}
    settings_of = {"s3": _s3, "azblob": _azure, "gs": _gs}[place.kind]
    settings = settings_of(place.container, place.access)
    if is_on(place.access, "anonymous"):
        settings["skip_signature"] = True
    endpoint = _endpoint(place)
    proxy = ProxyRules.of(environment).proxy_for(endpoint) if endpoint else None
    client: dict[str, object] = {"connect_timeout": "10s", "timeout": "5m", **limits}
    if endpoint.startswith("http:"):
        client["allow_http"] = True
    if proxy:
        client["proxy_url"] = proxy
    return cast(
        "ObjectStore",
        kinds[place.kind](
            place.container,
            config=settings,
            client_options=client,
            retry_config={
                "max_retries": int(place.access.get("retry_max_attempts") or _TRIES),
                "retry_timeout": timedelta(seconds=_RETRY_S),
            },
            **({"credential_provider": provider} if provider else {}),
        ),
    )


def _endpoint(place: ObjectStoreCache) -> str:
    if place.kind == "s3":
        region = place.access.get("region", "")
        return place.access.get("endpoint_url") or f"https://s3.{region}.amazonaws.com"
    if place.kind == "azblob":
        return place.access["account_url"]
    return place.access.get("endpoint_url") or "https://storage.googleapis.com"


def is_on(access: Mapping[str, str], name: str) -> bool:
    """Tell whether a setting of a store is true."""
    return parse_boolean(access.get(name, "")) is True


def _host_of_bucket(endpoint: str, bucket: str) -> str | None:
    """Return the endpoint with the bucket in its host, None for an address without names.

    As the SDK of AWS does; obstore takes the endpoint of this style as it is.
    """
    parts = urlsplit(endpoint)
    with suppress(ValueError):
        ip_address(parts.hostname or "")
        return None
    return f"{parts.scheme}://{bucket}.{parts.netloc}{parts.path.rstrip('/')}"


def _s3(bucket: str, access: Mapping[str, str]) -> dict[str, object]:
    settings: dict[str, object] = {"region": access["region"]}
    if endpoint := access.get("endpoint_url"):
        host = _host_of_bucket(endpoint, bucket)
        is_path = is_on(access, "use_path_style") or host is None
        settings["virtual_hosted_style_request"] = not is_path
        settings["endpoint"] = endpoint.rstrip("/") if is_path else host
    for name in ("access_key_id", "secret_access_key", "session_token"):
        if access.get(name):
            settings[name] = access[name]
    return settings


def _azure(_container: str, access: Mapping[str, str]) -> dict[str, object]:
    settings: dict[str, object] = {
        "account_name": access["account_name"],
        "endpoint": access["account_url"],
    }
    if key := access.get("secret_access_key"):
        settings["account_key"] = key
    return settings


def _gs(_bucket: str, access: Mapping[str, str]) -> dict[str, object]:
    settings: dict[str, object] = {}
    if endpoint := access.get("endpoint_url"):
        settings["base_url"] = endpoint.rstrip("/")
    if path := access.get("service_account"):
        settings["service_account"] = path
    return settings


def aws_profile(place: ObjectStoreCache, environment: Mapping[str, str]) -> Any:
    """Return a provider of the credentials of an AWS profile, None if none is needed.

    obstore knows the environment and the services of AWS, but no profiles and no SSO. Raises
    RemoteCacheError.
    """
    given = place.access.get("access_key_id") or is_on(place.access, "anonymous")
    name = environment.get("AWS_PROFILE")
    if place.kind != "s3" or given or not name:
        return None
    try:
        from botocore.exceptions import BotoCoreError
        from obstore.auth.boto3 import Boto3CredentialProvider
    except ImportError:
        message = "AWS_PROFILE needs the package boto3"
        raise RemoteCacheError(message, hint="pip install boto3") from None
    try:
        return Boto3CredentialProvider(ttl=_PROFILE_TTL)
    except (BotoCoreError, ValueError) as error:
        reason = (str(error).splitlines() or [""])[0].rstrip(": ")
        raise RemoteCacheError(f"AWS_PROFILE {name} gives no credentials: {reason}") from None
