"""The command lines of kaniko's executor and warmer."""

import json
import os
import shutil
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e.test_conformance import with_links_restored
from tests.support.host.img_command import Img, ImgFor, WriteContext
from tests.support.host.machine import conformance, program
from tests.support.servers.certificates import Authority
from tests.support.servers.registry_server import RegistryServer

pytestmark = pytest.mark.registry

_TIMEOUT_S = 600.0
_SOME = ("add", "arg-multi", "copy-root-multistage", "mv-add", "onbuild", "user-run")
_AS_KANIKO = (
    "--force --no-push --insecure --tar-path {out} -d {tag} -f {dockerfile} {flags}"
    " -c dir://{context}"
)


@pytest.fixture
def executor(img_for: ImgFor) -> Img:
    """Return kaniko's executor, run by an ordinary user."""
    img = img_for("user")
    return replace(img, command=(Path(img.command[0]).with_name("executor"),))


@pytest.fixture
def context(write_context: WriteContext) -> Path:
    """Return the context of an image without a base, of two layers."""
    return write_context("FROM scratch\nCOPY f /\nCOPY f /g\n", {"f": "f"})


def _labels(registry: RegistryServer, name: str) -> dict[str, str]:
    shown = subprocess.run(
        [program("skopeo"), "inspect", "--tls-verify=false", f"docker://{registry.address}/{name}"],
        check=True,
        capture_output=True,
    )
    labels: dict[str, str] = json.loads(shown.stdout)["Labels"] or {}
    return labels


def _of_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0  # the files of a directory have no owners, those of an archive have
    return member


def _digest(registry: RegistryServer, name: str) -> str:
    shown = subprocess.run(
        [program("skopeo"), "inspect", "--tls-verify=false", f"docker://{registry.address}/{name}"],
        check=True,
        capture_output=True,
    )
    return str(json.loads(shown.stdout)["Digest"])


@pytest.mark.userns
@pytest.mark.timeout(_TIMEOUT_S)
@pytest.mark.usefixtures("busybox", "debian")
def test_kanikos_own_dockerfiles_build_by_its_command_line(
    img_for: ImgFor, registry: RegistryServer, workplace: Path
) -> None:
    """Build all of them with IMG_TESTS_ALL: test_conformance.py builds the others as well."""
    some = "" if "IMG_TESTS_ALL" in os.environ else f"({'|'.join(_SOME)})$"
    img = img_for("root")
    executor = Path(img.command[0]).with_name("executor")
    report = img.home / "report.json"
    runner = replace(
        img,
        command=(
            img.python,
            conformance("e2e_runner.py"),
            *("--registry", registry.address),
            "--builder",
            f"{executor} {_AS_KANIKO}",
            *("--out-format", "docker-archive", "--json", report, "-j2"),
            *("--only", f"^ka-{some}"),
        ),
    )

    ran = runner.start(with_links_restored(conformance("e2e"), workplace))
    output, errors = ran.communicate(timeout=_TIMEOUT_S)

    assert report.exists(), output + errors
    results = {case["name"]: case for case in json.loads(report.read_text())}
    assert {n: c["errors"] for n, c in results.items() if c["result"] != "PASS"} == {}
    assert len(results) == len(_SOME) if some else len(results) > 10


def test_an_image_is_pushed_and_its_digest_written(
    executor: Img, context: Path, registry: RegistryServer, workplace: Path
) -> None:
    place = executor.home / "made" / "by"
    names = [f"{registry.address}/kaniko:{tag}" for tag in ("1", "2")]

    executor(
        *("--context", context, "-d", names[0], "--destination", names[1], "--label=a=b"),
        *("--digest-file", place / "digest", "--image-name-with-digest-file", place / "name"),
        "--snapshot-mode=redo",
    )

    digest = (place / "digest").read_text()
    assert digest == _digest(registry, "kaniko:1") == _digest(registry, "kaniko:2")
    assert (place / "name").read_text() == f"{registry.address}/kaniko@{digest}\n" * 2
    assert _labels(registry, "kaniko:1") == {"a": "b"}
    assert place.stat().st_mode & 0o777 == 0o700
    assert executor.with_state(executor.state)("version").stdout.startswith("Kaniko version :  ")


def test_contexts_of_all_local_kinds_give_the_same_image(
    executor: Img, context: Path, workplace: Path
) -> None:
    below = workplace / "below"
    shutil.copytree(context, below / "a/b")
    for name, directory in (("c.tar", context), ("c.tar.gz", context), ("d.tar.gz", below)):
        mode = "w:gz" if name.endswith("gz") else "w"
        with tarfile.open(workplace / name, mode) as archive:  # type: ignore[call-overload]
            archive.add(directory, ".", filter=_of_root)
    usual = ("--no-push", "--reproducible", "--digest-file")

    def digest(*words: str | Path, stdin: bytes = b"") -> str:
        file = executor.home / "digest"
        executor(*words, *usual, file, stdin=stdin)
        return file.read_text()

    expected = digest("--context", context)
    assert digest(f"--context=dir://{context}") == expected
    assert digest(f"--context=dir://{below}", "--context-sub-path=a/b") == expected
    assert digest(f"--context=tar://{workplace}/c.tar") == expected
    assert digest(f"--context=tar://{workplace}/c.tar.gz") == expected
    assert digest(f"--context=tar://{workplace}/d.tar.gz", "--context-sub-path=a/b") == expected
    packed = (workplace / "c.tar.gz").read_bytes()
    assert digest("--context=tar://stdin", stdin=packed) == expected


@pytest.mark.userns
@pytest.mark.usefixtures("busybox")
def test_the_exit_code_is_that_of_the_failed_command(
    executor: Img, write_context: WriteContext, registry: RegistryServer
) -> None:
    context = write_context(f"FROM {registry.address}/busybox\nRUN exit 42\n")

    executor("-c", context, "--no-push", code=42)
    assert executor("-c", context, code=1).error_line == (
        "Error: you must provide --destination, or use --no-push"
    )
    assert executor("--contxt", context, code=1).error_line == "Error: unknown flag: --contxt"
    gone = executor("-c", f"tar://{context}/gone", "--no-push", code=1)
    assert gone.error_line == f"Error: cannot read {context}/gone: no such file or directory"


@pytest.mark.userns
@pytest.mark.usefixtures("busybox")
def test_a_cache_in_a_registry_spares_the_steps_of_another_machine(
    executor: Img, write_context: WriteContext, registry: RegistryServer, workplace: Path
) -> None:
    context = write_context(f"FROM {registry.address}/busybox\nRUN date +%N >/now\n")
    name = f"{registry.address}/cached"
    other = executor.with_state(executor.home / "other")
    words = ("-c", context, "-d", name, "--cache=true", f"--cache-repo={name}/layers")

    executor(*words)
    first = _digest(registry, "cached")
    shown = other(*words).stderr

    assert _digest(registry, "cached") == first
    assert "CACHED" in shown


@pytest.mark.usefixtures("busybox")
def test_the_warmer_fetches_images_that_the_executor_uses_without_the_registry(
    executor: Img, write_context: WriteContext, workplace: Path
) -> None:
    warmer = replace(executor, command=(Path(executor.command[0]).with_name("warmer"),))
    cache = executor.home / "cache"
    with RegistryServer() as gone:
        _copy_busybox(executor, gone, workplace)
        context = write_context(f"FROM {gone.address}/warm AS a\nCOPY Dockerfile /\n")
        warmer("--dockerfile", context / "Dockerfile", "--cache-dir", cache)
    plain = replace(executor, environment={"IMG_STATE": ""})

    warmed = ("--cache", f"--cache-repo=oci:{cache}/layers", f"--cache-dir={cache}")
    plain("-c", context, "--no-push", *warmed)
    plain("-c", context, "--no-push", code=1)
    own = executor.with_state(executor.home / "own")  # $IMG_STATE is another state
    own("-c", context, "--no-push", *warmed, code=1)


def _copy_busybox(executor: Img, registry: RegistryServer, workplace: Path) -> None:
    context = workplace / "warm"
    context.mkdir()
    (context / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /warm\n")
    executor("-c", context, "-d", f"{registry.address}/warm")


def test_a_layout_and_an_archive_are_pushed(
    executor: Img, context: Path, registry: RegistryServer
) -> None:
    layout, archive = executor.home / "layout", executor.home / "image.tar"
    executor("-c", context, "--no-push", "--oci-layout-path", layout, "--tar-path", archive)

    executor("push", layout, "-d", f"{registry.address}/pushed:layout")
    executor("push", archive, "--destination", f"{registry.address}/pushed:archive")

    (target,) = json.loads((layout / "index.json").read_text())["manifests"]
    assert _digest(registry, "pushed:layout") == target["digest"]
    assert _digest(registry, "pushed:archive").startswith("sha256:")


def test_one_snapshot_is_one_layer(executor: Img, context: Path) -> None:
    layout = executor.home / "layout"
    executor("-c", context, "--no-push", "--single-snapshot", "--oci-layout-path", layout)

    (target,) = json.loads((layout / "index.json").read_text())["manifests"]
    manifest = json.loads((layout / "blobs" / target["digest"].replace(":", "/")).read_text())
    assert len(manifest["layers"]) == 1


def test_certificates_and_credentials_of_the_command_line_are_for_their_registry(
    executor: Img, context: Path, workplace: Path
) -> None:
    place = workplace / "authority"
    place.mkdir()
    authority = Authority(place)
    certificate = authority.issue("registry", "IP:127.0.0.1")
    with RegistryServer(("jess", "secret"), tls=certificate) as secure:
        host = secure.address
        trusting = f"--registry-certificate={host}={authority.certificate}"
        name = f"{host}/secure"
        gitlab = {"CI_REGISTRY": host, "CI_REGISTRY_USER": "jess", "CI_REGISTRY_PASSWORD": "secret"}

        refused = executor("-c", context, "-d", name, code=1)
        locked = executor("-c", context, "-d", name, trusting, code=1)
        executor.with_environment(**gitlab)("-c", context, "-d", name, trusting)
        executor.with_environment(**gitlab)("-c", context, "-d", name, "--skip-tls-verify")

    assert "error checking push permissions" in refused.error_line
    assert "certificate" in refused.error_line
    assert "error checking push permissions" in locked.error_line


def test_nothing_is_pushed_before_all_targets_are_built(
    executor: Img, write_context: WriteContext, registry: RegistryServer, workplace: Path
) -> None:
    context = write_context(
        "FROM scratch AS app\nCOPY f /\nFROM scratch AS gate\nCOPY missing /\n", {"f": "f"}
    )
    name = f"{registry.address}/gate:1"

    executor("-c", context, "-d", name, "--target=app,gate", code=1)

    seen = subprocess.run(
        [program("skopeo"), "inspect", "--tls-verify=false", f"docker://{name}"],
        check=False,
        capture_output=True,
    )
    assert b"manifest unknown" in seen.stderr


def test_an_archive_serves_several_targets_and_a_layout_is_replaced(
    executor: Img, write_context: WriteContext, workplace: Path
) -> None:
    context = write_context(
        "FROM scratch AS a\nCOPY f /\nFROM scratch AS b\nCOPY f /b\n", {"f": "f"}
    )
    layout = executor.home / "layout"
    with tarfile.open(workplace / "c.tar", "w") as archive:
        archive.add(context, ".")
    words = (f"--context=tar://{workplace}/c.tar", "--no-push", "--oci-layout-path", layout)

    executor(*words, "--target=a,b")
    first = json.loads((layout / "index.json").read_text())["manifests"]
    executor(*words, "--target", "b")
    second = json.loads((layout / "index.json").read_text())["manifests"]

    assert len(first) == len(second) == 1
    assert first[0]["digest"] != second[0]["digest"]
    assert "annotations" not in second[0]


def test_the_signature_of_an_address_is_not_shown(executor: Img, context: Path) -> None:
    place = "https://127.0.0.1:9/upload?sig=SECRET"

    failed = executor("-c", context, "--no-push", "--digest-file", place, code=1)

    assert failed.error_line == "Error: cannot write https://127.0.0.1:9/upload: the request failed"


def test_places_that_cannot_be_made_are_named(executor: Img, context: Path) -> None:
    warmer = replace(executor, command=(Path(executor.command[0]).with_name("warmer"),))

    refused = warmer("--image", "x", "--cache-dir", context / "f" / "cache", code=1)
    blank = executor("login", "r.example", "-u", "u", "--password-stdin", stdin=b"\xff", code=1)

    assert "failed to create cache directory" in refused.error_line
    assert "is not UTF-8" in blank.error_line
