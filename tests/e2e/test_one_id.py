"""A user without subordinate ids builds what all others build."""

import os
import time
from collections.abc import Mapping
from dataclasses import replace

import pytest

from tests.support.host.img_command import ImgFor, WriteContext
from tests.support.host.machine import program
from tests.support.images.written_images import LayerEntry, SavedImage, differences, read_archive
from tests.support.servers.registry_server import RegistryServer

pytestmark = [pytest.mark.userns, pytest.mark.registry]

_EMULATED = ("one-id", "no-new-privileges")
# Users and groups of their own, set-user-ID and set-group-ID programs, modes of directories: some
# packages with all of these, and with IMG_TESTS_ALL the large ones that people install.
_PACKAGES = "sudo cron dbus libcap2-bin"
if "IMG_TESTS_ALL" in os.environ:
    _PACKAGES += " openssh-server redis-server nginx-light man-db"
_INSTALL = f"apt-get install -y --no-install-recommends {_PACKAGES}"
# Made once: all others install what is in it already, and download one package themselves.
_DOWNLOADED = f"""
FROM @DEBIAN@
ENV DEBIAN_FRONTEND=noninteractive
RUN apt-get update && {_INSTALL} --download-only
"""
_PACKAGED = f"""
FROM @DOWNLOADED@
RUN {_INSTALL} --no-download && apt-get install -y hello
RUN useradd -m -G sudo app && echo 'app ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/app \\
 && install -o app -g www-data -m 2750 -d /srv/x && cp -a /var/spool/cron /srv/y \\
 && cp /bin/true /srv/ping && setcap cap_net_raw+ep /srv/ping \\
 && tar -C / -cf /t.tar etc/dbus-1 etc/sudoers.d && mkdir /srv/t && tar -C /srv/t -xpf /t.tar \\
 && mkfifo /srv/p && chown app /srv/p && su -s /bin/sh messagebus -c 'touch /tmp/x'
USER app
RUN touch ~/f && sudo touch /srv/by-sudo && sudo -u messagebus touch /tmp/y \\
 && test "$(sudo id -u) $(id -un)" = "0 app"
"""


def owners(layer: Mapping[str, LayerEntry]) -> Mapping[str, LayerEntry]:
    """Return the entries without contents: packages write the time, and make keys."""
    return {path: replace(entry, content="") for path, entry in layer.items()}


@pytest.mark.network
@pytest.mark.timeout(1800)
def test_unmodified_packages_are_installed_with_the_same_owners_as_with_many_ids(
    img_for: ImgFor, write_context: WriteContext, debian: str, registry: RegistryServer
) -> None:
    """Run also as root and under no_new_privs with IMG_TESTS_ALL: the code is the same."""
    others = ("root", *_EMULATED) if "IMG_TESTS_ALL" in os.environ else _EMULATED[:1]
    root = img_for("root", "root")
    base = f"{registry.address}/downloaded:latest"
    downloaded = write_context(_DOWNLOADED.replace("@DEBIAN@", debian), name="downloaded")
    root("build", "-t", base, downloaded, timeout_s=1200)
    root("push", base)
    context = write_context(_PACKAGED.replace("@DOWNLOADED@", base))
    images: dict[str, SavedImage] = {}
    took: dict[str, float] = {}
    for who in ("user", *others):
        img = img_for(who, who)
        start = time.monotonic()
        img("build", "-t", "packaged", context, timeout_s=1200)
        took[who] = time.monotonic() - start
        images[who] = read_archive(img("save", "--format", "oci", "packaged").output)

    expected = [owners(layer) for layer in images["user"].layers]
    assert sum(bool(entry.uid or entry.gid) for layer in expected[1:] for entry in layer.values())
    for image in images.values():
        found = [owners(layer) for layer in image.layers]
        assert [differences(*pair) for pair in zip(found, expected, strict=True)] == [{}] * 5
    print(took)  # noqa: T201 (for pytest -s)


_DEVICES = """
FROM @DEBIAN@
RUN mknod /c c 1 3 && mknod /b b 7 200 && chown 5:6 /c && stat -c '%F %t:%T %u:%g' /c /b > /seen
RUN cp -a /c /d && rm /b && chown 7 /d
"""


def test_devices_that_no_user_may_make_are_in_the_layers_as_roots_are(
    img_for: ImgFor, write_context: WriteContext, small_debian: str
) -> None:
    context = write_context(_DEVICES.replace("@DEBIAN@", small_debian))
    images = []
    for who in ("root", *_EMULATED):
        img = img_for(who, who)
        img("build", "-t", "devices", context)
        images.append(read_archive(img("save", "--format", "oci", "devices").output))

    first = images[0]
    assert first.layers[1]["/c"].device == (1, 3)
    for image in images[1:]:
        assert [differences(*pair) for pair in zip(image.layers, first.layers, strict=True)] == (
            [{}] * 3
        )


_MOUNTS = """
FROM @DEBIAN@ AS made
RUN useradd -u 1000 app && install -d -o app /src && su app -c 'echo x > /src/x; ln -s x /src/l'
FROM made
USER app
WORKDIR /home/app/w
RUN --mount=type=cache,target=/cache,uid=1000,gid=33,mode=750 \\
    --mount=from=made,source=/src,target=/from \\
    stat -c '%n %u:%g %a' /cache /from /from/x /from/l . > /tmp/seen; touch /cache/kept
COPY --chown=app:33 f /f
RUN --mount=type=cache,target=/cache,uid=1000,gid=33,mode=750 \\
    stat -c '%U %u:%g' /cache/kept /f >> /tmp/seen
"""


def test_mounts_and_copies_have_owners_that_steps_see(
    img_for: ImgFor, write_context: WriteContext, small_debian: str
) -> None:
    context = write_context(_MOUNTS.replace("@DEBIAN@", small_debian), {"f": "f"})
    images = []
    for who in ("user", *_EMULATED):
        img = img_for(who, who)
        img("build", "-t", "mounts", context)
        images.append(read_archive(img("save", "--format", "oci", "mounts").output))

    for image in images[1:]:
        assert image.layers[-1] == images[0].layers[-1]
        assert [owners(layer) for layer in image.layers] == [
            owners(layer) for layer in images[0].layers
        ]


def test_what_emulation_is_given_up_for_is_not_found_by_full_builds(
    img_for: ImgFor, write_context: WriteContext, small_debian: str
) -> None:
    context = write_context(f"FROM {small_debian}\nRUN touch /f && chown 5:6 /f\n")
    img = img_for("one-id")

    def owner(*options: str) -> tuple[int, int]:
        img("build", *options, "-t", "owned", context)
        layer = read_archive(img("save", "--format", "oci", "owned").output).layers[-1]
        return layer["/f"].uid, layer["/f"].gid

    assert owner("--emulate", "fake") == (0, 0)
    assert owner() == (5, 6)
    assert owner("--emulate", "ids") == (5, 6)
    outcome = img("build", "--emulate", "off", "-t", "owned", context, code=4)
    assert "Invalid argument" in outcome.stderr


@pytest.mark.parametrize("who", _EMULATED)
@pytest.mark.parametrize("runtime", ["runc", "crun"])
def test_a_runtime_is_refused_by_name_for_it_emulates_no_ids(
    img_for: ImgFor, write_context: WriteContext, busybox: str, runtime: str, who: str
) -> None:
    program(runtime)
    context = write_context(f"FROM {busybox}\nCOPY Dockerfile /\nRUN true\n")

    outcome = img_for(who)("build", "--executor", runtime, "-t", "x", context, code=9)

    assert f"the executor {runtime} emulates no ids, and there is one: " in outcome.error_line
    assert "use --executor unshare" in outcome.error_line


@pytest.mark.parametrize("mapped", ["--map-root-user", "--map-current-user"])
def test_owners_are_emulated_in_a_namespace_of_one_id_that_img_was_started_in(
    img_for: ImgFor, write_context: WriteContext, busybox: str, mapped: str
) -> None:
    """Start img like unshare(1), which maps the user to root, and like bubblewrap and Apptainer."""
    context = write_context(
        f"FROM {busybox}\nCOPY --chown=5:6 f /\nRUN chown 7:8 /f && touch /g && chgrp 42 /g\n",
        {"f": ""},
    )
    outside = img_for("one-id")
    inside = replace(outside, command=(program("unshare"), "--user", mapped, *outside.command))

    outcome = inside("build", "-t", "owned", context)

    layer = read_archive(outside("save", "--format", "oci", "owned").output).layers[-1]
    assert {path: (entry.uid, entry.gid) for path, entry in layer.items() if path != "/"} == {
        "/f": (7, 8),
        "/g": (0, 42),
    }
    assert "emulated (full)" in outcome.stderr
    assert "the user namespace that img was started in has one id" in outcome.stderr
    assert inside("doctor").stdout.count("the user namespace that img was started in has one id")
