"""``..`` in every place where a Dockerfile or an option takes a path or a name."""

import stat
from pathlib import Path

import pytest

from tests.support.host.img_command import ImgFor
from tests.support.host.machine import program
from tests.support.host.many_runs import Run, run_all
from tests.support.images.evil_archives import Outside

pytestmark = pytest.mark.userns

_START = "FROM scratch\nCOPY busybox /bin/\nENV PATH=/bin\n"
_UP = "../" * 20
_RUN = 'RUN {} ["busybox", "sh", "-c", "busybox cat {} /seen /seen/* /seen/secret; echo x >/x"]\n'
# OUT is the path of a directory outside, without the first slash, UP many "../"; what is written
# is called pwn. All these come out well, for ".." at a root is the root ...
_CONTAINED = (
    "COPY f UPOUT/pwn\n",
    "COPY f /a/UPOUT/pwn\n",
    "WORKDIR /a/b\nCOPY f UPOUT/pwn\n",
    "ADD f UPOUT/pwn\n",
    "ADD --chown=1:1 f UPOUT/\n",
    "COPY <<UPOUT/pwn UPOUT/pwn\nx\nUPOUT/pwn\n",
    "COPY --parents ./f UPOUT/pwn\n",
    "WORKDIR UPOUT/pwn\n",
    'WORKDIR /a/UPOUT/pwn\nRUN ["busybox", "touch", "pwn"]\n',
    _RUN.format("--mount=type=tmpfs,target=UPOUT/pwn", ""),
    _RUN.format("--mount=type=cache,target=UPOUT/pwn", ""),
    _RUN.format("--mount=type=cache,target=/seen,id=UPOUT/pwn", ""),
    _RUN.format("--mount=type=cache,target=/seen,id=..", ""),
    _RUN.format("--mount=type=cache,target=/seen,from=up,source=UP", ""),
    _RUN.format("--mount=type=bind,target=UPOUT/pwn,source=UPf", ""),
    _RUN.format("--mount=type=bind,target=/seen,source=UP", "/seen/f"),
    _RUN.format("--mount=type=bind,target=/seen,from=up,source=UP", ""),
    _RUN.format("--mount=type=secret,id=s,target=UPOUT/pwn", ""),
    _RUN.format("--mount=type=secret,id=UPOUT/secret,target=/seen", ""),
)
# ... and these are errors: there is nothing where they lead to inside.
_REFUSED = (
    "COPY UPOUT/secret /got\n",
    "COPY up/secret /got\n",
    "COPY absolute/secret /got\n",
    "COPY f/UPOUT/secret /got\n",
    "ADD UPOUT/secret /got\n",
    "COPY --from=up UPOUT/secret /got\n",
    "COPY --from=up /up/secret /got\n",
    "COPY --from=up /absolute/secret /got\n",
    "COPY --from=UPOUT /secret /got\n",
    "COPY --from=../outside /secret /got\n",
    "FROM UPOUT\n",
    "FROM up AS UPOUT\n",
    "FROM busybox:../../OUT\n",
    _RUN.format("--mount=type=bind,target=/seen,source=UPOUT/secret", ""),
    _RUN.format("--mount=type=bind,target=/seen,source=up/secret", ""),
    _RUN.format("--mount=type=bind,target=/seen,from=up,source=up/secret", ""),
    _RUN.format("--mount=type=bind,target=/seen,from=UPOUT,source=/", ""),
    _RUN.format("--mount=type=secret,id=UPOUT/secret,target=/seen,required=true", ""),
)
_OPTIONS_REFUSED = (
    ("-t", "../../OUT"),
    ("-t", "x:../OUT"),
    ("-t", "a/../../b"),
    ("-t", "x@sha256:../../OUT"),
    ("-f", "CONTEXT/UPOUT/nothing"),
    ("--target", "../OUT"),
    ("--platform", "linux/../../OUT"),
    ("--iidfile", "CONTEXT/nothing/../../pwn/iid"),
    ("--metadata-file", "CONTEXT/nothing/../../pwn/iid"),
)


def test_nothing_outside_is_written_or_read(img_for: ImgFor, workplace: Path) -> None:
    outside = Outside(workplace)
    out = str(outside.path).lstrip("/")
    (workplace / "up").mkdir()
    for place in (workplace / "context", workplace / "up"):
        place.mkdir(exist_ok=True)
        (place / "f").write_text("f")
        (place / "up").symlink_to(f"{_UP}{out}")
        (place / "absolute").symlink_to(outside.path)
    context = workplace / "context"
    (context / "busybox").write_bytes(Path(program("busybox")).read_bytes())
    (context / "busybox").chmod(0o755)
    (context / ".dockerignore").write_text(f"{_UP}{out}\n!{_UP}{out}/secret\n!/../../g\n../f\n")
    (context / "Dockerfile").write_text(f"{_START}COPY f /\n")

    def real(text: str) -> str:
        return text.replace("UP", _UP).replace("OUT", out).replace("CONTEXT", str(context))

    def build(number: int, text: str) -> Run:
        dockerfile = workplace / f"Dockerfile.{number}"
        head = "FROM scratch AS up\nCOPY --from=other / /\n"
        dockerfile.write_text(head + _START + real(text))
        other = ("--build-context", f"other={workplace}/up")
        return Run(arguments=("build", "-t", "x", *other, "-f", dockerfile, context))

    img = img_for("root")
    contained = run_all(img, [build(*each) for each in enumerate(_CONTAINED)])
    refused = run_all(img, [build(*each) for each in enumerate(_REFUSED, 100)])
    options = run_all(
        img,
        [
            Run(arguments=("build", "-t", "x", option, real(value), context))
            for option, value in _OPTIONS_REFUSED
        ],
    )

    failed = [
        (text, ended.error)
        for text, ended in zip(_CONTAINED, contained, strict=True)
        if ended.error and "exit code" not in ended.error  # of what finds nothing to read
    ]
    assert failed == []
    worked = [text for text, ended in zip(_REFUSED, refused, strict=True) if not ended.error]
    worked += [
        " ".join(option)
        for option, ended in zip(_OPTIONS_REFUSED, options, strict=True)
        if not ended.error
    ]
    assert worked == []
    outside.assert_untouched("")
    said = [ended.stderr for ended in (*contained, *refused, *options)]
    assert not [text for text in said if outside.text in text]
    for path in workplace.rglob("pwn"):
        assert path.is_relative_to(img.state / "snapshots"), path
    for path in (img.state / "mounts").rglob("*"):
        if stat.S_ISREG(path.lstat().st_mode):
            assert outside.text not in path.read_text(errors="replace")
