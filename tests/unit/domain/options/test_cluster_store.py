"""Stores of ``--cluster-store``."""

import pytest

from img.domain.errors import UsageError
from img.domain.options.cluster_store import (
    BucketStore,
    DirectoryStore,
    RegistryStore,
    parse_cluster_store,
)
from img.domain.reference import ImageReference


@pytest.mark.parametrize("text", ["dir:/srv/blobs", "dir:/srv//blobs/", "dir:/srv/./blobs"])
def test_a_directory(text: str) -> None:
    store = parse_cluster_store(text)

    assert store == DirectoryStore("/srv/blobs")
    assert str(store) == "dir:/srv/blobs"


def test_a_repository() -> None:
    store = parse_cluster_store("registry:localhost:5000/team/layers")

    assert store == RegistryStore(ImageReference(domain="localhost:5000", path="team/layers"))
    assert str(store) == "registry:localhost:5000/team/layers"


def test_the_text_of_a_bucket_names_it_without_the_environment() -> None:
    store = parse_cluster_store(
        "s3://layers/ci/img?endpoint_url=http%3A%2F%2Fminio%3A9000/%2525%26&use_path_style=true",
        {"AWS_REGION": "eu-1", "AWS_SECRET_ACCESS_KEY": "secret"},
    )

    assert isinstance(store, BucketStore)
    assert (store.place.container, store.place.blobs) == ("layers", "ci/img/blobs/")
    assert parse_cluster_store(str(store)) == store
    assert "region=eu-1" in str(store)
    assert "secret" not in str(store)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "it names no kind of store"),
        ("/srv/blobs", "it names no kind of store"),
        ("dir", "it names no kind of store"),
        ("https://registry.test/layers", "it names no kind of store"),
        ("dir:", "the path is not absolute"),
        ("dir:blobs", "the path is not absolute"),
        ("dir:/srv/../etc", "the path has a part '..'"),
        ("registry:", "invalid reference format"),
        ("registry:Team/Layers", "must be lowercase"),
        ("registry:team/layers:1", "without tag or digest"),
        ("s3://", "it is no address of a bucket"),
        ("s3://user:pass@layers/x", "it is no address of a bucket"),
        ("s3://layers/x", "region ($AWS_REGION) not set"),
        ("s3://layers/x?region", "unknown setting region"),
        ("s3://layers/x?access_key_id=a&region=r", "unknown setting access_key_id"),
        ("s3://layers/x?region=r&endpoint_url=minio", "'minio' is no URL of http or https"),
    ],
)
def test_what_is_refused(text: str, problem: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_cluster_store(text)

    assert caught.value.message.startswith("invalid --cluster-store ")
    assert problem in caught.value.message
    assert caught.value.hint or "region" in problem or "minio" in problem


def test_no_secret_is_repeated_in_an_error() -> None:
    with pytest.raises(UsageError) as caught:
        parse_cluster_store("s3://layers/x?region=r&secret_access_key=Hidden1")

    assert "Hidden1" not in f"{caught.value.message} {caught.value.hint}"
