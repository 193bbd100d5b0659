"""Caches for other machines: in a registry, an image, a directory."""

import json
import re
import subprocess
from pathlib import Path
from uuid import uuid4

import pytest

from tests.support.host.img_command import Img, ImgFor, WriteContext
from tests.support.host.machine import program
from tests.support.servers.registry_server import RegistryServer

pytestmark = [pytest.mark.userns, pytest.mark.registry]

_DOCKERFILE = r"""
FROM @BASE@ AS made
WORKDIR /src
COPY f .
RUN --mount=type=cache,target=/c,uid=5 \
    if test -e /c/d/kept; then echo "found of $(stat -c %u:%g /c/d/kept) by $(readlink /c/l)"; \
    else mkdir -m 700 /c/d; echo x > /c/d/kept; chown 7:8 /c/d/kept; ln -s d/kept /c/l; fi; \
    cat /proc/sys/kernel/random/uuid > /random
FROM @BASE@
COPY --from=made /random /
RUN --mount=type=bind,from=made,source=/src,target=/m cp /m/f /copied && chown 9:9 /copied
CMD ["true"]
"""


@pytest.fixture
def context(busybox: str, write_context: WriteContext) -> Path:
    return write_context(_DOCKERFILE.replace("@BASE@", busybox), {"f": "f" * 10**5})


@pytest.fixture
def cache(registry: RegistryServer) -> str:
    """Return a new name in the registry."""
    return f"{registry.address}/{uuid4().hex}/cache:latest"


def steps_run(log: str) -> list[str]:
    ends = dict(re.findall(r"^#(\d+) (CACHED|DONE)", log, re.M))
    return [
        name
        for number, name in re.findall(r"^#(\d+) \[(?!internal)[^\]]*\] (.*)$", log, re.M)
        if ends.get(number) == "DONE" and not name.startswith("FROM")
    ]


def image_id(img: Img, *arguments: str | Path) -> str:
    return img("build", "-q", "-t", "app", *arguments).stdout.strip()


@pytest.mark.parametrize("who", ["root", "user", "one-id"])
def test_a_clean_machine_runs_no_step(who: str, img_for: ImgFor, context: Path, cache: str) -> None:
    first, second = img_for(who, "first"), img_for(who, "second")
    built = image_id(first, "--cache-to", f"type=registry,ref={cache},mode=max", context)

    again = second("build", "-t", "app", "--cache-from", cache, context)

    assert steps_run(again.stderr) == []
    assert image_id(second, context) == built


def test_who_built_it_does_not_matter(img_for: ImgFor, context: Path, cache: str) -> None:
    root, user = img_for("root", "of-root"), img_for("one-id", "of-user")
    built = image_id(user, "--cache-to", f"type=registry,ref={cache}", context)

    assert image_id(root, "--cache-from", cache, context) == built


def test_an_image_is_its_own_cache(img_for: ImgFor, context: Path, cache: str) -> None:
    first, second = img_for("user", "first"), img_for("user", "second")
    first("build", "-t", cache, "--cache-to", "inline", context)
    first("push", cache)

    again = second("build", "-t", cache, "--cache-from", cache, context)

    assert steps_run(again.stderr) == []


def test_a_directory_can_be_carried_elsewhere(
    img_for: ImgFor, context: Path, workplace: Path
) -> None:
    first, second = img_for("user", "first"), img_for("user", "second")
    (home := workplace / "shared").mkdir(mode=0o777)
    home.chmod(0o777)
    place = home / "cache"
    first("build", "-t", "app", "--cache-to", f"type=local,dest={place},mode=max", context)

    again = second("build", "-t", "app", "--cache-from", f"type=local,src={place}", context)

    assert steps_run(again.stderr) == []
    skopeo = [program("skopeo"), "inspect", "--raw", f"oci:{place}:latest"]
    inspected = subprocess.run(skopeo, check=True, capture_output=True)
    assert json.loads(inspected.stdout)["config"]["mediaType"].endswith("cache.config.v1+json")


@pytest.mark.parametrize(("one", "other"), [("user", "root"), ("one-id", "user")])
def test_directories_of_cache_mounts_go_along(
    one: str, other: str, img_for: ImgFor, context: Path, cache: str
) -> None:
    first, second = img_for(one, "first"), img_for(other, "second")
    first("build", "-t", "app", "--cache-to", f"type=registry,ref={cache},mounts=true", context)
    (context / "f").write_text("changed")

    again = second("build", "-t", "app", "--cache-from", cache, context)
    assert "found of 7:8 by d/kept" in again.stderr
