"""Builds for other processors."""

import io
import json
import tarfile

import pytest

from tests.support.host.img_command import Img, WriteContext

pytestmark = [pytest.mark.userns, pytest.mark.any_user]

_COPY_ONLY = "FROM scratch\nARG TARGETARCH\nCOPY f /f-$TARGETARCH\n"
_BUILDS_HERE = """\
FROM --platform=$BUILDPLATFORM scratch AS made
ARG TARGETARCH
COPY f /out/$TARGETARCH
FROM scratch
COPY --from=made /out /
"""


def index_of(archive: bytes) -> list[str]:
    """Return the platforms of the only image of an OCI archive."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:

        def read(name: str) -> bytes:
            member = tar.extractfile(name)
            assert member is not None
            return member.read()

        (target,) = json.loads(read("index.json"))["manifests"]
        index = json.loads(read("blobs/" + target["digest"].replace(":", "/")))
    return [f"{m['platform']['os']}/{m['platform']['architecture']}" for m in index["manifests"]]


@pytest.mark.parametrize("dockerfile", [_COPY_ONLY, _BUILDS_HERE])
def test_files_alone_need_no_emulation(
    dockerfile: str, img: Img, write_context: WriteContext
) -> None:
    context = write_context(dockerfile, {"f": "f"})

    img("build", "-t", "many", "--platform", "linux/amd64,linux/arm64", context)

    saved = img("save", "--format", "oci", "many").output
    assert index_of(saved) == ["linux/amd64", "linux/arm64"]


def test_a_command_for_another_processor_is_refused_before_any_work(
    img: Img, write_context: WriteContext
) -> None:
    context = write_context('FROM scratch\nCOPY f /\nRUN ["/x"]\n', {"f": "f"})

    failed = img("build", "-t", "no", "--platform", "linux/s390x", context, code=4)

    assert "linux/s390x" in failed.error_line
    assert "COPY" not in failed.stderr.partition("Dockerfile:3")[0]
    assert "no:latest" not in img("ls").stdout
