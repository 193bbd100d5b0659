"""Attestations that travel between stores, archives and registries, and what others see of them."""

import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
from oras.provider import Registry

from img.testing.loopback_registry import LoopbackRegistry
from tests.support.host.img_command import Img, ImgFor, WriteContext
from tests.support.host.machine import program
from tests.support.servers.registry_server import RegistryServer
from tests.support.statements import check_statement

pytestmark = [pytest.mark.registry, pytest.mark.peers, pytest.mark.userns]

SAMPLES = Path(__file__).parents[1] / "unit/application/attestations/samples"

DOCKERFILE = "FROM scratch\nARG TOKEN\nARG PLAIN\nCOPY hello.txt /\n"
SECRET = "s3cr3t-value"


@pytest.fixture
def img(img_for: ImgFor) -> Img:
    return img_for("user")


@pytest.fixture
def context(write_context: WriteContext) -> Path:
    made = write_context(DOCKERFILE)
    (made / "hello.txt").write_text("hello\n")
    return made


def _skopeo(*words: str) -> bytes:
    return subprocess.run([program("skopeo"), *words], check=True, capture_output=True).stdout


def _types(img: Img, name: str) -> list[str]:
    lines = img("attestations", name).stdout.splitlines()[1:]
    return [line.split()[1].split("/")[2] + ":" + line.split()[-2] for line in lines]


def test_attestations_in_an_index_travel_with_the_image(
    img: Img, registry: RegistryServer, context: Path
) -> None:
    name = f"{registry.address}/attested/app:1"
    arguments = [
        "--build-arg",
        f"TOKEN={SECRET}",
        "--build-arg",
        "PLAIN=https://me:pw@example.com/",
    ]
    places: list[str | Path] = [
        "-t",
        name,
        "--push",
        "--load",
        "--metadata-file",
        img.home / "metadata.json",
    ]
    img("build", "-q", "--provenance=true", "--sbom=true", *arguments, *places, context)
    wanted = ["spdx.dev:index", "slsa.dev:index"]
    assert _types(img, name) == wanted

    statement = json.loads(img("attestations", name, "--type", "provenance", "-o", "-").stdout)
    check_statement(statement)
    text = json.dumps(statement)
    assert SECRET not in text and "me:pw" not in text and "build-arg:PLAIN" in text
    metadata = json.loads((img.home / "metadata.json").read_text())
    assert (
        metadata["buildx.build.provenance"]["runDetails"]["metadata"]["invocationId"]
        == (statement["predicate"]["runDetails"]["metadata"]["invocationId"])
    )
    check_statement(json.loads(img("attestations", name, "--type", "sbom", "-o", "-").stdout))

    with RegistryServer() as other:
        there = f"{other.address}/there:1"
        copied = _skopeo("copy", "--all", "--src-tls-verify=false", "--dest-tls-verify=false",
                         f"docker://{name}", f"docker://{there}")  # fmt: skip
        assert copied
        assert _types(img, f"docker://{there}") == wanted
        img("copy", there, "store:copied:1")
    assert _types(img, "copied:1") == wanted

    archive = img.home / "saved.tar"
    img("save", "--format", "oci", "-o", archive, name)
    img("rm", "--force", name)
    img("load", "-i", archive)
    assert _types(img, name) == wanted
    raw = json.loads(_skopeo("inspect", "--raw", f"oci-archive:{archive}"))
    assert [each["platform"]["os"] for each in raw["manifests"]] == ["linux", "unknown"]


def test_referrers_leave_the_image_as_it_is(img: Img, context: Path) -> None:
    with LoopbackRegistry() as registry, LoopbackRegistry() as other:
        plain, name = registry.name("team/app:plain"), registry.name("team/app:1")
        img("build", "-q", "-t", plain, "--push", context)
        img("build", "-q", "--provenance=true", "--sbom=true", "--attest-as", "referrer",
            "-t", name, "--load", context)  # fmt: skip
        img("push", name)

        tags = registry.tags("team/app")
        assert tags["1"] == tags["plain"]
        wanted = ["spdx.dev:referrer", "slsa.dev:referrer"]
        assert sorted(_types(img, f"docker://{name}")) == sorted(wanted)
        listed = img("referrers", "--artifact-type", "application/spdx+json", name).stdout
        assert listed.count("application/spdx+json") == 1

        digest = tags["1"]
        client = Registry(insecure=True)  # of oras-py
        url = f"http://{registry.address}/v2/team/app/referrers/{digest}"
        for each in client.do_request(url).json()["manifests"]:
            artifact = client.get_manifest(f"{registry.address}/team/app@{each['digest']}")
            assert artifact["subject"]["digest"] == digest
            assert artifact["artifactType"] == each["artifactType"]

        there = other.name("moved/app:1")
        img("copy", name, there)
        assert sorted(_types(img, f"docker://{there}")) == sorted(wanted)

        archive = img.home / "saved.tar"
        img("copy", f"store:{name}", f"oci-archive:{archive}:{name}")
        img("rm", name)
        assert "ago" not in img("ls").stdout
        img("load", "-i", archive)
        assert sorted(_types(img, name)) == sorted(wanted)
        bill = json.loads(img("attestations", name, "--type", "sbom", "-o", "-").stdout)
        assert bill["spdxVersion"] == "SPDX-2.3"


def test_outputs_that_are_files_have_statements_about_the_files(img: Img, context: Path) -> None:
    outputs = [f"type=local,dest={img.home}/out", f"type=tar,dest={img.home}/out.tar",
               f"type=docker,dest={img.home}/docker.tar"]  # fmt: skip
    words = [word for each in outputs for word in ("-o", each)]
    img("build", "-q", "--provenance=mode=min", "--sbom=true", *words, context)

    statement = json.loads((img.home / "out/provenance.json").read_text())
    check_statement(statement)
    assert [each["name"] for each in statement["subject"]] == ["hello.txt"]
    with tarfile.open(img.home / "out.tar") as archive:
        modes = {member.name: member.mode for member in archive}
    assert modes == {"hello.txt": 0o644, "sbom.spdx.json": 0o600, "provenance.json": 0o600}
    with tarfile.open(img.home / "docker.tar") as archive:
        assert "manifest.json" in archive.getnames()
    img("load", "-i", img.home / "docker.tar")


def test_equal_builds_with_an_epoch_have_equal_attestations_and_no_stale_traces(
    img: Img, context: Path
) -> None:
    dated = img.with_environment(SOURCE_DATE_EPOCH="7")

    def built(*words: str) -> Any:
        metadata = img.home / "metadata.json"
        dated("build", "-q", *words, "-t", "app", "--metadata-file", metadata, context)
        return json.loads(metadata.read_text())["containerimage.digest"]

    first = built("--provenance=true", "--sbom=true")
    assert built("--provenance=true", "--sbom=true") == first

    # A build that would leave a trace, between builds with attestations.
    plain = ("build", "-q", "-t", "app", context)
    dated(*plain)
    assert dated("attestations", "app").stdout.count("\n") == 1
    dated("build", "-q", "--provenance=true", "--sbom=true", "-t", "app", context)
    assert dated("attestations", "app").stdout.count("\n") == 3
    dated(*plain)
    assert dated("attestations", "app").stdout.count("\n") == 1


def test_bake_attests_what_a_definition_asks_for(img: Img, context: Path) -> None:
    (context / "docker-bake.hcl").write_text(
        'target "default" {\n  tags = ["baked:1"]\n  attest = ["type=provenance,mode=min"]\n}\n'
    )
    img("bake", cwd=context)
    assert _types(img, "baked:1") == ["slsa.dev:index"]

    img("bake", "--sbom=true", "--provenance=false", cwd=context)
    assert _types(img, "baked:1") == ["spdx.dev:index"]


def test_a_scanner_image_writes_what_it_writes_in_buildkit(
    img: Img, context: Path, registry: RegistryServer, busybox: str
) -> None:
    base = "127.0.0.1:5000/busybox:latest"
    scanner = busybox.replace("/", "/scanner-", 1)
    (context / "scanner.sh").write_bytes((SAMPLES / "scanner.sh").read_bytes())
    text = f'FROM {busybox}\nCOPY scanner.sh /\nENTRYPOINT ["/bin/sh", "/scanner.sh"]\n'
    (context / "Scanner").write_text(text)
    img("build", "-q", "-f", context / "Scanner", "-t", scanner, "--push", context)
    (context / "Dockerfile").write_text(
        (SAMPLES / "Dockerfile.9").read_text().replace(base, busybox)
    )

    img("build", "-q", f"--sbom=generator={scanner},foo=bar", "-t", "reg.example.com/team/app:1.2",
        context)  # fmt: skip

    name = "reg.example.com/team/app:1.2"
    digests = [line.split()[-1] for line in img("attestations", name).stdout.splitlines()[1:]]
    ours = [
        json.loads(img("attestations", name, "--type", digest, "-o", "-").stdout)
        for digest in digests
    ]
    theirs = json.loads((SAMPLES / "9-sbom.json").read_text())["statements"]
    assert [_bill(each) for each in ours] == [_bill(each) for each in theirs]
    assert {each["subject"][0]["name"] for each in ours} == {
        each["subject"][0]["name"] for each in theirs
    }

    failing = f"{registry.address}/failing"
    (context / "Failing").write_text(f'FROM {busybox}\nENTRYPOINT ["/bin/false"]\n')
    img("build", "-q", "-f", context / "Failing", "-t", failing, "--push", context)
    failed = img("build", f"--sbom=generator={failing}", "-t", "none", context, code=4)
    assert failed.error_line.endswith(f"the scanner {failing} failed: exit code: 1")
    assert "none" not in img("ls").stdout


def _bill(statement: Any) -> Any:
    """Return a bill without digests, and without what BuildKit's encoder adds."""
    predicate = statement["predicate"]
    for each in predicate["files"]:
        each.pop("copyrightText", None)
        if each.get("comment", "").startswith("layerID: sha256:"):
            each["comment"] = "layerID: sha256:"
    creators = predicate["creationInfo"]["creators"]
    predicate["creationInfo"]["creators"] = [creators[0], *("Tool: builder" for _ in creators[1:])]
    return statement["predicateType"], predicate
