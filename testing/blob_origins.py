"""Contract suite of records of the repositories of blobs."""

from img.application.ports.blob_origins import BlobOrigins
from img.domain.digest import Digest

ONE, TWO, THREE = (Digest.of(content) for content in (b"1", b"2", b"3"))
APP = "registry.example/team/app"
BASE = "docker.io/library/base"


class BlobOriginsContract:
    """Promises of every BlobOrigins.

    Fixtures: ``origins``, without a blob.
    """

    def test_of_an_unknown_blob_no_repository_is_known(self, origins: BlobOrigins) -> None:
        assert list(origins.repositories(ONE)) == []
        assert list(origins.digests()) == []

    def test_the_repository_learned_last_comes_first(self, origins: BlobOrigins) -> None:
        origins.add(BASE, [ONE, TWO])
        origins.add(APP, [ONE])

        assert list(origins.repositories(ONE)) == [APP, BASE]
        assert list(origins.repositories(TWO)) == [BASE]
        assert set(origins.digests()) == {ONE, TWO}

    def test_what_is_known_stays_as_it_was(self, origins: BlobOrigins) -> None:
        origins.add(BASE, [ONE])
        origins.add(APP, [ONE])
        origins.add(BASE, iter([ONE, ONE]))

        assert list(origins.repositories(ONE)) == [APP, BASE]

    def test_one_repository_of_a_blob_can_be_forgotten(self, origins: BlobOrigins) -> None:
        origins.add(BASE, [ONE, TWO])
        origins.add(APP, [ONE])

        origins.forget(BASE, ONE)
        origins.forget(APP, THREE)
        origins.forget(BASE, TWO)

        assert list(origins.repositories(ONE)) == [APP]
        assert set(origins.digests()) == {ONE}

    def test_blobs_can_be_forgotten_altogether(self, origins: BlobOrigins) -> None:
        origins.add(BASE, [ONE, TWO])
        origins.add(APP, [ONE])

        origins.remove(iter([ONE, THREE]))

        assert list(origins.repositories(ONE)) == []
        assert list(origins.repositories(TWO)) == [BASE]
