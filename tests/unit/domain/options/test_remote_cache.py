"""Tests of ``type=gha|s3|azblob|gs``: BuildKit's attributes, variables and names."""

import pytest

from img.domain.options.cache import parse_cache_source, parse_cache_target
from img.domain.options.remote_cache import ActionsCache, ObjectStoreCache

RECEIVER = "https://results-receiver.actions.githubusercontent.com/"
JOB = {"ACTIONS_RUNTIME_TOKEN": "job", "ACTIONS_RESULTS_URL": "https://results.example/"}
OLD = {"ACTIONS_CACHE_URL": "https://cache.example/x/"}
FLAG = {"ACTIONS_CACHE_SERVICE_V2": "True"}


@pytest.mark.parametrize(
    ("text", "environment", "url", "version"),
    [
        ("type=gha", {**JOB, **FLAG}, "https://results.example/", 2),
        ("type=gha", {**JOB, **FLAG, **OLD}, "https://results.example/", 2),
        ("type=gha,version=2", {**JOB, **OLD}, "https://results.example/", 2),
        ("type=gha", {**JOB, **OLD}, "https://cache.example/x/", 1),
        ("type=gha,version=1", {**JOB, **OLD, **FLAG}, "https://cache.example/x/", 1),
        ("type=gha", {**JOB, "ACTIONS_RESULTS_URL": RECEIVER}, RECEIVER, 2),
        ("type=gha,url_v2=http://h:1/a", JOB, "http://h:1/a/", 2),
        ("type=gha,url=http://h:1/a", JOB, "http://h:1/a/", 1),
        ("type=gha,url=http://h:1/a,version=2,url_v2=http://h:2/", {}, "http://h:2/", 2),
    ],
)
def test_where_the_cache_service_is(
    text: str, environment: dict[str, str], url: str, version: int
) -> None:
    place = parse_cache_source(text, environment)

    assert isinstance(place, ActionsCache)
    assert (place.url, place.version) == (url, version)


def test_outside_a_job_the_cache_service_is_missing_and_no_error() -> None:
    place = parse_cache_target("type=gha,mode=max,scope=a,timeout=90s").place

    assert isinstance(place, ActionsCache)
    assert place.missing == "token and url not set for github actions cache"
    assert (place.scope, place.timeout_s) == ("a", 90)


def test_a_bad_duration_is_the_default() -> None:
    place = parse_cache_source("type=gha,timeout=soon", JOB)

    assert isinstance(place, ActionsCache)
    assert place.timeout_s == 600


def test_names_in_a_bucket() -> None:
    text = "type=s3,prefix=p-,name=a;b,touch_refresh=90m,upload_parallelism=9"
    environment = {"AWS_BUCKET": "bucket", "AWS_REGION": "r"}

    source = parse_cache_source(text, environment)
    target = parse_cache_target(f"{text},mode=max,ignore-error=true", environment)

    assert isinstance(source, ObjectStoreCache)
    assert (source.container, source.blobs, source.manifests) == (
        "bucket",
        "p-blobs/",
        "p-manifests/",
    )
    assert source.names == ("a",)
    assert (source.refresh_s, source.parallelism) == (5400, 9)
    assert isinstance(target.place, ObjectStoreCache)
    assert target.place.names == ("a", "b")
    assert target.everything
    assert target.ignore_error


def test_names_in_a_container_of_azure() -> None:
    environment = {
        "BUILDKIT_AZURE_STORAGE_ACCOUNT_URL": "https://acc.blob.core.windows.net/",
        "BUILDKIT_AZURE_STORAGE_PREFIX": "a/",
    }

    place = parse_cache_source("type=azblob,name=x;y,blobs_prefix=/b/", environment)

    assert isinstance(place, ObjectStoreCache)
    assert (place.container, place.blobs, place.manifests) == (
        "buildkit-cache",
        "a/b/",
        "a/manifests/",
    )
    assert place.names == ("x", "y")
    assert place.access["account_name"] == "acc"


@pytest.mark.parametrize(
    "text",
    [
        "type=gha,token=SECRET,ghtoken=SECRET,url=http://h/",
        "type=s3,bucket=b,region=r,access_key_id=SECRET,secret_access_key=SECRET",
        "type=azblob,account_url=https://a.b/,secret_access_key=SECRET",
    ],
)
def test_a_place_shows_no_secret(text: str) -> None:
    place = parse_cache_source(text)

    assert "SECRET" not in f"{place} {place!r}"
