"""A build in a pipeline: its log, its traces and its metadata."""

import json
import re

from tests.support.host.img_command import ImgFor, WriteContext
from tests.support.servers.collector import collecting

_DOCKERFILE = """\
FROM scratch as files
COPY Dockerfile /a
FROM scratch
COPY --from=files /a /b
COPY gone /c
"""


def test_a_failing_build_on_github_is_marked_and_traced(
    img_for: ImgFor, write_context: WriteContext
) -> None:
    context = write_context(_DOCKERFILE, {})
    with collecting() as collector:
        img = img_for("user").with_environment(
            GITHUB_ACTIONS="true", GITHUB_WORKSPACE=str(context), **collector.variables
        )
        failed = img("build", "--progress=plain", context, code=4)

    assert failed.error_line == 'Error: failed to solve: "/gone": not found'
    commands = [line for line in failed.stderr.splitlines() if line.startswith("::")]
    assert commands[0] == "::group::#2 output"
    assert commands[1].startswith(
        "::warning title=img build,file=Dockerfile,line=1,endLine=1::From"
    )
    assert commands[2:] == [
        "::endgroup::",
        '::error title=img build,file=Dockerfile,line=5,endLine=5::"/gone": not found',
    ]
    tree = collector.tree()
    assert tree["img build"] == ""
    assert tree["[files 1/1] COPY Dockerfile /a"] == "img build"
    assert collector.named("[stage-1 2/2] COPY gone /c").status.message == '"/gone": not found'
    assert len({span.trace_id for span in collector.spans}) == 1


def test_the_metadata_has_warnings_if_that_is_asked_for(
    img_for: ImgFor, write_context: WriteContext
) -> None:
    context = write_context(_DOCKERFILE.replace("COPY gone /c\n", ""), {})
    file = context / "metadata.json"
    img = img_for("root")
    asking = img.with_environment(BUILDX_METADATA_WARNINGS="1")

    for build in (asking, img):
        build("build", "-q", "--metadata-file", file, context)
        metadata = json.loads(file.read_text())
        warnings = metadata.pop("buildx.build.warnings", [])
        assert len(warnings) == (build is asking)
        assert re.fullmatch("sha256:.{64}", metadata["containerimage.digest"])
        assert metadata["buildx.build.ref"].rpartition("/")[2] in img("history", "ls").stdout
