"""Privileges that targets need besides those of --allow."""

import io
import os
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import product
from pathlib import Path
from threading import Event

import pytest

from img.adapters.blob_store.memory import MemoryBlobStore
from img.adapters.build_context.local import LocalContexts
from img.adapters.build_context.memory import MemoryContext
from img.adapters.definition_files.local import LocalDefinitionFiles
from img.adapters.file_digest_store.memory import MemoryFileDigestStore
from img.adapters.git.memory import MemoryGit, MemoryRepository
from img.adapters.output_files.local import LocalOutputFiles
from img.adapters.scratch_space.memory import MemoryScratchSpace
from img.adapters.secret_source.local import LocalSecrets
from img.adapters.web.memory import MemoryWeb
from img.application.solver.results import ContextFiles, Result
from img.domain.bake.definition.attributes import Contents
from img.domain.bake.definition.plan import Plan, shown_context
from img.domain.bake.definition.privileges import PrivilegesMissing
from img.domain.bake.definition.target_build import TargetBuild
from img.domain.context_location import LayoutPlace
from img.domain.errors import ImgError
from img.domain.oci.index import Index
from img.domain.options.cache import LocalCache
from img.domain.outputs import FilesOutput
from img.entrypoints.cli.bake_builds import target_build
from img.entrypoints.cli.bake_privileges import PrivilegeCheck
from tests.support.images.image_archives import a_layout, an_image, listed
from tests.support.in_memory_app import HERE, InMemoryApp

CANARY = b"FROM scratch\nLABEL canary=1\nCOPY . /\n"  # content of each file outside


@pytest.fixture(autouse=True)
def _places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a directory that has links to another one, which no target may reach."""
    for name in ("Dockerfile", "F", "key", "a/Dockerfile", "a/F"):
        path = tmp_path / "outside" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(CANARY)
    blobs = MemoryBlobStore()
    image = listed(an_image(blobs, b"", platform=HERE))
    with tarfile.open(fileobj=io.BytesIO(a_layout(blobs, Index(manifests=(image,))))) as layout:
        layout.extractall(tmp_path / "outside")
    work = tmp_path / "work"
    for name in ("Dockerfile", "F", "key", "a/Dockerfile", "a/F"):
        path = work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("FROM scratch\nCOPY . /\n")
    for link in ("link", "-", "evil", "evil:latest", "github.com/a/b", "oci-layout:/link", "x:"):
        (work / link).parent.mkdir(parents=True, exist_ok=True)
        (work / link).symlink_to(tmp_path / "outside")
    (work / "o/l").mkdir(parents=True)
    monkeypatch.chdir(work)
    monkeypatch.setenv("OUTSIDE", str(tmp_path / "outside"))
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)


@pytest.fixture
def outside(tmp_path: Path) -> str:
    return str(tmp_path / "outside")


def needed(
    contents: Contents,
    *allowed: str,
    overrides: tuple[str, ...] = (),
    environment: Mapping[str, str] | None = None,
    name: str = "app",
) -> list[str]:
    """Return the missing privileges of a target, in the order of the message."""
    environment = {**os.environ, **(environment or {})}
    plan = Plan({name: contents}, {}, frozenset())
    check = PrivilegeCheck.of(allowed, overrides, plan, LocalDefinitionFiles(), environment)
    try:
        check({name: target_build(name, contents)})
    except PrivilegesMissing as error:
        return error.message.removeprefix("additional privileges requested: ").split(", ")
    return []


INSIDE: Contents = {"context": "a", "contexts": {"b": "c", "base": "target:x"}, "dockerfile": "F"}
GIT = "https://example.com/r.git"


@pytest.mark.parametrize(
    ("contents", "expected"),
    [
        (INSIDE, []),
        ({"context": GIT}, []),
        ({"contexts": {"b": "docker-image://busybox"}}, []),
        ({"dockerfile": "../F", "dockerfile-inline": "FROM scratch"}, []),
        ({"secret": [{"id": "s", "env": "S"}]}, []),
        ({"output": [{"type": "tar", "dest": "-"}]}, []),
        ({"context": "../a"}, ["fs.read=../a"]),
        ({"context": "link/.."}, ["fs.read=link/.."]),
        ({"contexts": {"b": "cwd:///etc"}}, ["fs.read=/etc"]),
        ({"contexts": {"b": "-"}}, ["fs.read=-"]),
        ({"dockerfile": "/etc/F"}, ["fs.read=/etc/F"]),
        ({"context": "a", "dockerfile": "../../F"}, ["fs.read=a/../../F"]),
        ({"secret": [{"id": "s", "src": "/etc/shadow"}]}, ["fs.read=/etc/shadow"]),
        ({"ssh": [{"id": "default"}]}, ["ssh"]),
        ({"ssh": [{"id": "default", "paths": ["/root/key"]}]}, ["fs.read=/root/key"]),
        ({"cache-from": [{"type": "local", "src": "/c"}]}, ["fs.read=/c"]),
        ({"cache-to": [{"type": "local", "dest": "/c"}]}, ["fs.write=/c"]),
        ({"output": [{"type": "local", "dest": "/o"}]}, ["fs.write=/o"]),
        ({"output": [{"type": "local", "dest": "o", "mode": "delete"}]}, ["buildx.local.delete"]),
        ({"entitlements": ["network.host"]}, ["network.host"]),
        # keys with blanks
        ({"output": [{"type": "local", " dest": "/o"}]}, ["fs.write=/o"]),
        ({"cache-to": [{"type": "local", " dest": "/c"}]}, ["fs.write=/c"]),
        ({"cache-from": [{"type": "local", " src": "/c"}]}, ["fs.read=/c"]),
        # the id of a secret is a path, and variables of paths are replaced
        ({"secret": [{"id": "/etc/shadow"}]}, ["fs.read=/etc/shadow"]),
        ({"secret": [{"id": "$OUTSIDE/key"}]}, ["fs.read={outside}/key"]),
        ({"secret": [{"id": "s", "src": "${OUTSIDE}/key"}]}, ["fs.read={outside}/key"]),
        # a path with the form of another kind of place
        ({"contexts": {"b": "cwd://oci-layout:///link"}}, ["fs.read=./oci-layout:///link"]),
        ({"contexts": {"b": "oci-layout://evil:latest"}}, ["fs.read=evil"]),
        ({"contexts": {"b": "oci-layout:///l:1@sha256:" + 64 * "0"}}, ["fs.read=/l"]),
        ({"context": "github.com/a/b"}, ["fs.read=github.com/a/b"]),
        ({"contexts": {"b": "github.com/a/b"}}, ["fs.read=github.com/a/b"]),
        ({"dockerfile": "x://../../F"}, ["fs.read=../F", "fs.read=./x://../../F"]),
        # a Dockerfile of this machine for a remote context
        ({"context": GIT, "dockerfile": "/etc/F"}, ["fs.read=/etc/F"]),
        ({"context": GIT, "dockerfile": "cwd://link/F"}, ["fs.read={work}/link/F"]),
        ({"context": GIT, "dockerfile": "cwd://F"}, []),
        ({"context": GIT, "dockerfile": "../F"}, []),
        # a result that is written through the links of an image before
        (
            {"output": [{"type": "local", "dest": "o"}, {"type": "tar", "dest": "o/l/f"}]},
            ["fs.write=/"],
        ),
    ],
)  # fmt: skip
def test_what_is_outside_of_the_directory_needs_a_privilege(
    contents: Contents, expected: list[str], outside: str
) -> None:
    expected = [text.format(outside=outside, work=os.getcwd()) for text in expected]

    assert needed(contents) == expected
    assert needed(contents, *expected) == []
    assert needed(contents, "fs=*", "ssh", "network.host", "buildx.local.delete") == []


@pytest.mark.parametrize("allowed", ["fs=/o", "fs.write=/", "fs.write=*", "fs=*"])
def test_a_directory_is_allowed_with_what_is_below_it(allowed: str) -> None:
    contents: Contents = {"output": [{"type": "local", "dest": "/o/below"}]}

    assert needed(contents, allowed) == []
    assert needed(contents, "fs.read=*") == ["fs.write=/o/below"]


@pytest.mark.parametrize(
    ("override", "contents"),
    [
        ("output=type=local,dest=/o", {"output": [{"type": "local", "dest": "/o"}]}),
        ("output=type=local, dest=/o", {"output": [{"type": "local", "dest": "/o"}]}),
        ("cache-to=type=local,dest=/c", {"cache-to": [{"type": "local", "dest": "/c"}]}),
        ("cache-from=type=local,src=/c", {"cache-from": [{"type": "local", "src": "/c"}]}),
        ("secret.s=src=/etc/s", {"secret": [{"id": "s", "src": "/etc/s"}]}),
        ("ssh=default=/root/key", {"ssh": [{"id": "default", "paths": ["/root/key"]}]}),
    ],
)
def test_a_path_of_an_override_is_allowed_to_its_targets_only(
    override: str, contents: Contents
) -> None:
    assert needed(contents, overrides=(f"app.{override}",)) == []
    assert needed(contents, overrides=(f"a*.{override}",)) == []
    assert needed(contents, overrides=(f"app.{override}",), name="other") != []
    assert needed(contents, overrides=(f"app.args.{override}",)) != []


def test_an_override_allows_one_kind_of_access() -> None:
    read: Contents = {"contexts": {"b": "/o"}, "secret": [{"id": "s", "src": "/o"}]}

    assert needed(read, overrides=("app.output=type=local,dest=/o",)) == ["fs.read=/o"]
    assert needed(read, overrides=("app.contexts.b=/o",)) == ["fs.read=/o"]


def test_overrides_do_not_allow_the_links_of_images() -> None:
    overrides = ("app.output+=type=local,dest=o", "app.cache-to+=type=local,dest=o/c")
    contents: Contents = {
        "output": [{"type": "local", "dest": "o"}, {"type": "tar", "dest": "o/l/f"}],
    }

    assert needed(contents, overrides=overrides) == ["fs.write=/"]


def test_files_are_not_checked_if_the_environment_says_so() -> None:
    contents: Contents = {"context": "/", "entitlements": ["network.host"]}

    unchecked = needed(contents, environment={"BUILDX_BAKE_ENTITLEMENTS_FS": "0"})

    assert unchecked == ["network.host"]


def test_links_count_as_they_are_at_each_check(tmp_path: Path) -> None:
    contents: Contents = {"context": "made/later"}
    plan = Plan({"app": contents}, {}, frozenset())
    check = PrivilegeCheck.of([], [], plan, LocalDefinitionFiles(), {})
    builds = {"app": target_build("app", contents)}
    check(builds)
    Path("made").mkdir()
    Path("made/later").symlink_to(tmp_path / "outside")

    with pytest.raises(PrivilegesMissing, match=r"fs\.read=made/later"):
        check(builds)


# Places of each kind, and combinations that could be read in two ways.
_SCHEMES = ("", "/", "cwd://", "oci-layout://", "cwd://oci-layout://", "x://")
_PATHS = (
    *("a", "../../outside", "OUTSIDE", "OUTSIDE:latest", "$OUTSIDE", "${OUTSIDE}/a"),
    *("link", "a/../link/a", "-", "evil:latest", "github.com/a/b"),
)


def all_contents(outside: str) -> Iterator[Contents]:
    for scheme, path in product(_SCHEMES, _PATHS):
        place = scheme + (path if path[0] == "$" else path.replace("OUTSIDE", outside))
        if (context := shown_context(place)) != "-":  # refused before
            yield {"context": context}
        yield {"contexts": {"b": place}}
        yield {"output": [{"type": "local", "dest": place}]}
        yield {"output": [{"type": "tar", " dest": f"{place}/new"}]}
        yield {"cache-to": [{"type": "local", " dest": place}]}
        file = f"{place}/F"
        yield {"dockerfile": file}
        yield {"context": "a", "dockerfile": file}
        yield {"context": GIT, "dockerfile": file}
        yield {"secret": [{"id": file}]}
        yield {"secret": [{"id": "s", "src": file}]}


class Openers:
    """The adapters that open the files of a build."""

    def __init__(self) -> None:
        self.app = InMemoryApp()
        building = self.app.container.building
        self.app.container.storage.local_contexts.override(
            LocalContexts(MemoryFileDigestStore(), self.app.archive, MemoryScratchSpace())
        )
        files = {("c" * 40, ""): MemoryContext({"Dockerfile": b"", "F": b"", "a/F": b""})}
        hosted = MemoryRepository(refs={"refs/heads/main": "c" * 40}, files=files)
        building.git.override(MemoryGit({GIT: hosted}))
        building.web.override(MemoryWeb({}))
        self.contexts = building.contexts()
        self.layouts = self.app.container.images.copy_from_layout()
        self.places = LocalOutputFiles(io.BytesIO())

    def reads_canary(self, build: TargetBuild) -> bool:
        """Open what ``build`` reads, and return whether something of it is from outside."""
        return any(CANARY in content for content in self._read(build))

    def _read(self, build: TargetBuild) -> Iterator[bytes]:
        with suppress(ImgError):
            yield self.contexts.dockerfile(build.location, build.file).content
            if build.location != ".":
                yield from self._files(self.contexts.main(build.location, ()))
        for name, place in build.request.contexts.items():
            with suppress(ImgError):
                if layout := LayoutPlace.parse(place):
                    self.layouts(layout, HERE)
                    yield CANARY  # the only layout is outside
                elif not place.startswith("docker-image://"):
                    yield from self._files(self.contexts.named(name, place, Event()))
        secrets = LocalSecrets(build.secrets, build.agents)
        for spec in build.secrets:
            with suppress(ImgError):
                yield secrets.secret(spec.id) or b""

    def _files(self, found: Result) -> Iterator[bytes]:
        if isinstance(found, ContextFiles):
            for entry in found.context.tree().walk(""):
                yield found.context.read_file(entry.path) or b""

    def write(self, build: TargetBuild) -> None:
        """Write into each place that ``build`` writes to."""
        caches = [each.place.path for each in build.caches.targets
                  if isinstance(each.place, LocalCache)]  # fmt: skip
        files = [each for each in build.outputs if isinstance(each, FilesOutput)]
        for path in (*caches, *(each.destination for each in files if not each.tar)):
            with suppress(ImgError), self.places.directory(path) as directory:
                Path(directory, "new").touch()
        for path in (each.destination for each in files if each.tar):
            with suppress(ImgError), self.places.file(path) as file:
                file.write(b"new")


def test_no_target_reaches_files_outside_without_a_privilege(outside: str) -> None:
    openers = Openers()
    listing = sorted(Path(outside).rglob("*"))
    reading: set[str] = set()

    for contents in all_contents(outside):
        try:
            build = target_build("app", contents)
        except ImgError:
            continue
        if not needed(contents):
            assert not openers.reads_canary(build), contents
            openers.write(build)
            assert sorted(Path(outside).rglob("*")) == listing, contents
        elif openers.reads_canary(build):
            reading |= contents.keys()

    assert reading == {"context", "contexts", "dockerfile", "secret"}
