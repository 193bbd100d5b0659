"""Fixtures of the end-to-end tests: an installed img, users, a registry with base images."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.host import accounts, shared_things
from tests.support.host.img_command import Img, ImgFor, WriteContext
from tests.support.host.machine import (
    REPOSITORY,
    Account,
    conformance,
    kill_processes_naming,
    lacking,
    mounts_naming,
    need_root,
    new_directory,
    processes_naming,
    program,
    this_account,
)
from tests.support.host.waiting import wait_while
from tests.support.host.warm_img import WarmImg
from tests.support.images import edited_layout
from tests.support.servers import registry_server
from tests.support.servers.registry_server import RegistryServer

_PATIENCE_S = 30.0
_NAMELESS = 64997  # a user without a name and ids
_NOT_SOURCE = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__", "tests")
# The recorded results of the conformance cases were made with a base that says so.
_DEBIAN_LABELS = {"io.buildah.version": "1.28.2"}
# Two thirds of Debian's files, which the steps on the smaller image do not use.
_UNUSED = (
    *("usr/share/doc/", "usr/share/man/", "usr/share/locale/", "usr/share/zoneinfo/"),
    *("usr/share/perl", "usr/lib/x86_64-linux-gnu/gconv/", "usr/lib/aarch64-linux-gnu/gconv/"),
    *("usr/share/info/", "usr/share/common-licenses/", "var/cache/apt/archives/"),
    *("var/lib/apt/lists/", "usr/bin/perl5", "usr/lib/locale/", "usr/share/i18n/"),
)


# --- the command ---


def _install(place: Path) -> None:
    source = place / "source"
    shutil.copytree(REPOSITORY, source, symlinks=True, ignore=_NOT_SOURCE)
    python = place / "venv/bin/python"
    shared_things.run("/usr/bin/python3", "-m", "venv", "--without-pip", place / "venv")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    here = ("--no-deps", "--no-build-isolation")  # .venv has what the build needs
    shared_things.run(*pip, "wheel", "-q", *here, "-w", place / "wheel", source)
    (wheel,) = (place / "wheel").glob("*.whl")
    shared_things.run(
        *pip, "--python", python, "install", "-q", f"{wheel}[cloud,compose,otel,sign,tui]"
    )
    shared_things.run("chmod", "-R", "a+rX", place)


@pytest.fixture(scope="session")
def installed() -> Path:
    """Return the ``bin`` of a new environment in which img's wheel is installed.

    $IMG_TESTS_BIN may name the ``bin`` of another environment, which all users may enter.
    """
    if given := os.environ.get("IMG_TESTS_BIN"):
        return Path(given)
    program("python3")
    return shared_things.once("installed", _install) / "venv/bin"


# --- users ---


@pytest.fixture(scope="session")
def user() -> Account:
    """Return an ordinary user with subordinate ids."""
    return accounts.user()


@pytest.fixture
def workplace() -> Iterator[Path]:
    """Return a directory on tmpfs for one test; what still runs there in the end is a fault."""
    place = new_directory("e2e", shared_things.directory())
    yield place
    left = _left(str(place))
    kill_processes_naming(str(place))
    shutil.rmtree(place, ignore_errors=os.geteuid() != 0)
    assert left == []


def _left(text: str) -> list[str]:
    # A mount of this test is for a while in the mount namespaces that others make meanwhile.
    return wait_while(
        lambda: [*processes_naming(text), *mounts_naming(text)], patience_s=_PATIENCE_S
    )


@pytest.fixture(scope="session")
def warm_img() -> Iterator[WarmImg]:
    """Yield the processes of this worker that have imported img."""
    servers = WarmImg()
    yield servers
    servers.close()


@pytest.fixture
def img_for(
    installed: Path, workplace: Path, warm_img: WarmImg, request: pytest.FixtureRequest
) -> ImgFor:
    """Return a function from a kind of user, and a name for the state, to img.

    "root"; "user", with subordinate ids; "one-id", without; "no-new-privileges": the user with
    ids that cannot be used. Calls are forks of a process that has imported img, unless
    IMG_TESTS_ALL is set; what is started and watched is a process of its own.
    """
    quick = None if "IMG_TESTS_ALL" in os.environ else warm_img.words

    def prepared(who: str, state: str = "state") -> Img:
        command: tuple[Path | str, ...] = (installed / "img",)
        if who == "root":
            need_root()
            account = this_account()
        elif who == "one-id":
            need_root()
            account = Account(name=str(_NAMELESS), uid=_NAMELESS, gid=_NAMELESS, home=workplace)
        else:
            account = request.getfixturevalue("user")
        if who == "no-new-privileges":
            command = (program("setpriv"), "--no-new-privs", *command)
        home = workplace / f"home-{who}"
        for directory in (home, workplace / state):
            directory.mkdir(mode=0o755, exist_ok=True)
            os.chown(directory, account.uid, account.gid)
        return Img(
            command=command, account=account, state=workplace / state, home=home, quick=quick
        )

    return prepared


@pytest.fixture(params=["root", "user"])
def img(request: pytest.FixtureRequest, img_for: ImgFor) -> Img:
    """Return img, once as root and once as an ordinary user."""
    return img_for(request.param)


@pytest.fixture
def write_context(workplace: Path) -> WriteContext:
    """Return a function: a Dockerfile's text and files by name, to a build context."""

    def written(
        dockerfile: str | None,
        files: Mapping[str, str | bytes] | None = None,
        name: str = "context",
    ) -> Path:
        context = workplace / name
        context.mkdir(exist_ok=True)
        texts = dict(files or {})
        if dockerfile is not None:
            texts["Dockerfile"] = dockerfile
        for path, content in texts.items():
            file = context / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return context

    return written


# --- registry and base images ---


def _make_bases(place: Path, *options: str | Path) -> None:
    maker = conformance("make_base_images.py")
    busybox = program("busybox")
    layout = ("--no-push", "--layout", place / "layouts")
    shared_things.run(program("python3"), maker, "--busybox", busybox, *layout, *options)


def _bootstrap(place: Path) -> None:
    root = place / "root"
    shared_things.run(program("debootstrap"), "--variant=minbase", "bookworm", root)
    _make_bases(place, "--debian-rootfs", root)
    shutil.rmtree(root)
    edited_layout.set_labels(place / "layouts/debian", _DEBIAN_LABELS)


def _debian_from(given: str) -> Callable[[Path], None]:
    def make(place: Path) -> None:
        _make_bases(place, "--debian-rootfs", given)
        edited_layout.set_labels(place / "layouts/debian", _DEBIAN_LABELS)

    return make


@pytest.fixture(scope="session")
def registry() -> Iterator[RegistryServer]:
    """Return a registry of this worker, on loopback, without credentials."""
    if registry_server.PROGRAM is None:
        lacking("docker-registry is not installed")
    with RegistryServer() as server:
        yield server


def push(layout: Path, name: str) -> str:
    plain = "--dest-tls-verify=false"
    skopeo = program("skopeo")
    shared_things.run(skopeo, "copy", "-q", plain, f"oci:{layout}:latest", f"docker://{name}")
    return name


@pytest.fixture(scope="session")
def busybox_layout() -> Path:
    """Return the OCI layout of a small base image."""
    return shared_things.once("busybox", _make_bases) / "layouts/busybox"


@pytest.fixture(scope="session")
def debian_layout() -> Path:
    """Return the OCI layout of Debian's minbase.

    $IMG_TESTS_DEBIAN may name a root file system to take instead of making one by debootstrap.
    """
    need_root()
    given = os.environ.get("IMG_TESTS_DEBIAN")
    layouts = shared_things.once("debian", _debian_from(given) if given else _bootstrap)
    return layouts / "layouts/debian"


@pytest.fixture(scope="session")
def small_debian_layout(debian_layout: Path) -> Path:
    """Return the OCI layout of a Debian that unpacks fast: it has programs, and little else."""

    def make(place: Path) -> None:
        shutil.copytree(debian_layout, place / "layout")
        edited_layout.leave_out(place / "layout", _UNUSED)

    return shared_things.once("small-debian", make) / "layout"


@pytest.fixture(scope="session")
def busybox(registry: RegistryServer, busybox_layout: Path) -> str:
    """Return the name of a small base image in the registry."""
    return push(busybox_layout, f"{registry.address}/busybox:latest")


@pytest.fixture(scope="session")
def debian(registry: RegistryServer, debian_layout: Path) -> str:
    """Return the name of Debian's minbase in the registry."""
    return push(debian_layout, f"{registry.address}/debian:bookworm")


@pytest.fixture(scope="session")
def small_debian(registry: RegistryServer, small_debian_layout: Path) -> str:
    """Return the name of the Debian that unpacks fast in the registry."""
    return push(small_debian_layout, f"{registry.address}/small-debian:bookworm")
