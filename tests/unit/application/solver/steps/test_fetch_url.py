"""ADD of URLs: when something is downloaded, and when a step is done anew."""

import hashlib
import io
import tarfile

import pytest

from img.adapters.web.memory import MemoryPage, MemoryWeb
from img.application.solver.steps.fetch_sources import SourceUnavailable
from img.domain.digest import Digest
from img.domain.filesystem.entry import Entry
from tests.support.in_memory_app import InMemoryApp, image_of

URL = "https://host/dir/file.txt"
ADD = f"FROM scratch\nADD {URL} /to/\n"
TIME = 1_700_000_000


class Site:
    """An InMemoryApp with one page on the web, which may change."""

    def __init__(self, content: bytes = b"one", *, secrets: dict[str, bytes] | None = None) -> None:
        self.app = InMemoryApp(secrets=secrets or {})
        self.pages: dict[str, MemoryPage] = {}
        self.web = MemoryWeb(self.pages)
        self.app.container.building.web.override(self.web)
        self.put(content, '"1"', TIME)

    def put(self, content: bytes, etag: str = "", modified: int | None = None) -> None:
        self.pages[URL] = MemoryPage(content=content, etag=etag, modified=modified)

    def build(self, dockerfile: str = ADD) -> dict[str, bytes]:
        self.app.forget_progress()
        return self.app.files_of(self.app.build(dockerfile))

    @property
    def downloads(self) -> int:
        return sum(not request.etag for request in self.web.requests)


def entry_of(site: Site, path: str, dockerfile: str = ADD) -> Entry:
    image = image_of(site.app.build(dockerfile))
    entry: Entry | None = site.app.container.images.trees().of(image.layers).get(path)
    assert entry is not None
    return entry


def test_a_download_is_a_file_of_root_as_old_as_the_server_says() -> None:
    entry = entry_of(Site(), "to/file.txt")
    assert (entry.mode, entry.uid, entry.gid, entry.mtime) == (0o600, 0, 0, TIME * 10**9)


def test_a_download_of_unknown_age_is_as_old_as_can_be() -> None:
    site = Site()
    site.put(b"one")
    assert entry_of(site, "to/file.txt").mtime == 0


def test_what_has_not_changed_is_asked_for_but_not_downloaded_again() -> None:
    site = Site()
    assert site.build() == site.build() == {"to/file.txt": b"one"}
    assert [request.etag for request in site.web.requests] == ["", '"1"']
    assert any("ADD" in name and "1/1" in name for name in site.app.found)


def test_what_has_changed_is_downloaded_and_the_step_done_anew() -> None:
    site = Site()
    site.build()
    site.put(b"two", '"2"')
    assert site.build() == {"to/file.txt": b"two"}


def test_another_answer_with_the_same_content_changes_nothing() -> None:
    site = Site()
    first = site.app.build(ADD)
    site.put(b"one", '"2"')
    assert site.app.build(ADD).target == first.target


def test_without_an_etag_all_is_downloaded_again() -> None:
    site = Site()
    site.put(b"one", modified=TIME)
    first = site.app.build(ADD)
    site.put(b"two", modified=TIME)
    assert site.app.build(ADD).target != first.target
    assert site.downloads == 2


def test_a_download_that_is_gone_from_the_store_is_fetched_again() -> None:
    site = Site()
    site.build()
    site.app.blobs.remove(Digest.of(b"one"))
    assert site.build() == {"to/file.txt": b"one"}
    assert site.downloads == 2


def test_with_a_checksum_that_is_here_nobody_is_asked() -> None:
    site = Site()
    checked = f"FROM scratch\nADD --checksum={Digest.of(b'one')} {URL} /x\n"
    assert site.build(checked) == {"x": b"one"}
    assert site.build(checked) == {"x": b"one"}
    assert len(site.web.requests) == 1


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_content_that_is_not_what_the_checksum_says_is_refused(algorithm: str) -> None:
    site = Site()
    expected = Digest(algorithm, hashlib.new(algorithm, b"two").hexdigest())
    checked = f"FROM scratch\nADD --checksum={expected} {URL} /x\n"
    for _ in range(2):  # once from the net, once from the store
        with pytest.raises(SourceUnavailable, match=f"digest mismatch for {URL}: ") as refusal:
            site.build(checked)
        assert refusal.value.lines == (2, 2)
        site.build()


def test_a_checksum_of_another_algorithm_is_taken() -> None:
    site = Site()
    digest = f"sha512:{hashlib.sha512(b'one').hexdigest()}"
    checked = f"FROM scratch\nADD --checksum={digest} {URL} /x\n"
    assert site.build(checked) == site.build(checked) == {"x": b"one"}


def test_nothing_is_kept_of_what_is_refused() -> None:
    site = Site()
    with pytest.raises(SourceUnavailable):
        site.build(f"FROM scratch\nADD --checksum={Digest.of(b'two')} {URL} /x\n")
    assert list(site.app.blobs.digests()) == []


def test_what_is_not_there_is_said_at_its_line_without_credentials() -> None:
    with pytest.raises(SourceUnavailable) as refusal:
        Site().build("FROM scratch\nADD https://me:hidden@host/nope /x\n")
    error = refusal.value
    assert error.message == "https://xxxxx:xxxxx@host/nope: invalid response status 404"
    assert (error.lines, error.exit_code) == ((2, 2), 6)


@pytest.mark.parametrize(
    ("secret", "authorization"),
    [
        ({"HTTP_AUTH_TOKEN_host": b"t0p\n"}, "Bearer t0p"),
        ({"HTTP_AUTH_HEADER_host": b"Basic abc"}, "Basic abc"),
        ({"HTTP_AUTH_TOKEN_host": b"t", "HTTP_AUTH_HEADER_host": b"h"}, "Bearer t"),
        ({"HTTP_AUTH_TOKEN_other": b"t"}, ""),
    ],
)
def test_secrets_named_after_the_host_are_sent_to_it(
    secret: dict[str, bytes], authorization: str
) -> None:
    site = Site(secrets=secret)
    site.build()
    assert site.web.requests[0].authorization == authorization


def test_a_file_whose_name_has_wildcards_is_no_pattern() -> None:
    site = Site()
    site.pages["https://host/a[1]*.txt"] = MemoryPage(content=b"x")
    assert site.build("FROM scratch\nADD https://host/a[1]*.txt /to/\n") == {"to/a[1]*.txt": b"x"}


def an_archive() -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        member = tarfile.TarInfo("inside")
        member.size = 1
        tar.addfile(member, io.BytesIO(b"i"))
    return content.getvalue()


def test_a_downloaded_archive_is_unpacked_only_if_that_is_asked_for() -> None:
    site = Site(content=an_archive())
    assert set(site.build()) == {"to/file.txt"}
    assert site.build(f"FROM scratch\nADD --unpack {URL} /to/\n") == {"to/inside": b"i"}
    assert set(site.build(f"FROM scratch\nADD --unpack=false {URL} /to/\n")) == {"to/file.txt"}


def test_downloads_and_files_of_the_context_go_to_one_place() -> None:
    site = Site()
    site.pages["https://host/other"] = MemoryPage(content=b"o")
    dockerfile = f"FROM scratch\nADD *.md {URL} t.tar.gz https://host/other d /to/\n"
    files = {"a.md": b"a", "b.md": b"b", "c.no": b"c", "t.tar.gz": an_archive(), "d/e": b"e"}
    built = site.app.build(dockerfile, files)
    assert site.app.files_of(built) == {
        "to/a.md": b"a",
        "to/b.md": b"b",
        "to/file.txt": b"one",
        "to/inside": b"i",
        "to/other": b"o",
        "to/e": b"e",
    }
    assert site.app.build(dockerfile, files).target == built.target
    changed = site.app.build(dockerfile, {**files, "a.md": b"A"})
    assert site.app.files_of(changed)["to/a.md"] == b"A"
