"""--cache-from and --cache-to."""

import re

import pytest

from img.domain.digest import Digest
from img.domain.errors import UsageError
from img.domain.oci.compression import USUAL, Algorithm, Compression
from img.domain.options.cache import (
    CachePlace,
    CacheTarget,
    LocalCache,
    RegistryCache,
    parse_cache_source,
    parse_cache_target,
)
from img.domain.reference import ImageReference

NAME = ImageReference.parse("example.com/app:cache")
DIGEST = Digest.of(b"x")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("example.com/app:cache", RegistryCache(NAME)),
        ("type=registry,ref=example.com/app:cache", RegistryCache(NAME)),
        ("type=local,src=/a", LocalCache(path="/a")),
        ("type=local,src=a,tag=v1", LocalCache(path="a", tag="v1")),
        (f'"type=local","src=a,b",digest={DIGEST}', LocalCache(path="a,b", digest=DIGEST)),
    ],
)
def test_where_results_are_found(text: str, place: CachePlace) -> None:
    assert parse_cache_source(text) == place


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("inline", CacheTarget(place=None)),
        ("type=inline", CacheTarget(place=None)),
        ("type=inline,mode=min", CacheTarget(place=None)),
        ("example.com/app:cache", CacheTarget(place=RegistryCache(NAME))),
        (
            "type=registry,ref=example.com/app:cache,mode=max,mounts=true,ignore-error=1",
            CacheTarget(place=RegistryCache(NAME), everything=True, mounts=True, ignore_error=True),
        ),
        (
            "type=registry,ref=example.com/app:cache,oci-mediatypes=false,compression=gzip",
            CacheTarget(place=RegistryCache(NAME), docker_types=True, compression=USUAL),
        ),
        (
            "type=local,dest=a,compression=zstd,compression-level=7,force-compression=true",
            CacheTarget(place=LocalCache(path="a"), compression=Compression(Algorithm.ZSTD, 7)),
        ),
        ("type=local,dest=a", CacheTarget(place=LocalCache(path="a"))),
        ("type=local,dest=a,reset=false", CacheTarget(place=LocalCache(path="a"), reset=False)),
    ],
)
def test_where_results_are_left(text: str, target: CacheTarget) -> None:
    assert parse_cache_target(text) == target


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "type is required"),
        ("ref=x", "type is required"),
        ("type=registry", "ref is required"),
        ("type=registry,ref=UPPER", r"repository name .* must be lowercase"),
        ("type=local", "dest is required"),
        ("type=inline,mode=max", "mode=min only"),
        ("type=local,dest=a,ref=b", "unknown attribute ref"),
        ("type=registry,ref=x,mode=most", "unsupported mode 'most'"),
        ("type=registry,ref=x,compression=estargz", "estargz is not supported"),
        ("type=registry,ref=x,compression=zstd,oci-mediatypes=false", "not possible with"),
        ("type=inline,compression=zstd", "unknown attribute compression"),
        ("type=registry,ref=x,image-manifest=false", "image manifest only"),
        ("type=s3,region=r", r"bucket \(\$AWS_BUCKET\) not set"),
        ("type=s3,bucket=b", r"region \(\$AWS_REGION\) not set"),
        ("type=s3,bucket=b,region=r,access_key_id=a", "are needed together"),
        ("type=gha,version=3", "unsupported version '3'"),
        ("type=gha,url=ftp://h/,token=t", "is no URL"),
        ("type=gha,reset=true", "unknown attribute reset"),
        ("type=disk", "unknown type 'disk'"),
        ("type=registry,ref", "must be a key=value pair"),
    ],
)
def test_what_cannot_be_a_target_is_refused(text: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        parse_cache_target(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("type=inline", "read by type=registry"),
        ("type=local", "src is required"),
        ("type=local,src=a,digest=x", "invalid digest"),
        ("type=local,src=a,mode=max", "unknown attribute mode"),
        ("type=azblob,name=x", r"account_url \(\$BUILDKIT_AZURE_STORAGE_ACCOUNT_URL\) not set"),
        ("type=gs", "bucket is required"),
        ("type=s3,bucket=b,region=r,mode=max", "unknown attribute mode"),
    ],
)
def test_what_cannot_be_a_source_is_refused(text: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        parse_cache_source(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("type=s3,session_token=SECRET,token=SECRET", "type=s3,session_token=***,token=***"),
        ("type=gha,Token=SECRET,mode", "type=gha,Token=***,mode"),
        ("type=gha,token=SECRET,SECRET", "type=gha,token=***"),
        ('type=s3,secret_access_key="SECRET,x', "type=s3,secret_access_key=***"),
        ('type=s3,"token=SEC,RET",mode=x', 'type=s3,"token=***'),
        ("type=azblob,mode=x,account_url=https://a/?v=1&sig=SECRET", "v=1&sig=***"),
    ],
)
def test_a_refusal_shows_no_secret(text: str, shown: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_cache_target(text)

    assert not re.search("SEC|RET", caught.value.message.replace(",SECRET'", ""))
    assert shown in caught.value.message
