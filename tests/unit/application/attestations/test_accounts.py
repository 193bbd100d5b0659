"""Provenance of builds: sources, working copies, and secrets that it must not have."""

import json
import re
from collections.abc import Sequence
from typing import Any

import pytest

from img.adapters.build_context.memory import MemoryContext
from img.adapters.git.memory import MemoryGit, MemoryRepository
from img.adapters.web.memory import MemoryPage, MemoryWeb
from img.adapters.working_copy.memory import MemoryWorkingCopies
from img.application.attestations.take_account import IncompleteMaterials
from img.application.outputs.solved import BuiltImage
from img.application.outputs.stated_files import StatementOverlaps
from img.application.ports.working_copy import WorkingCopy
from img.domain.attestations.options import parse_attestations
from img.domain.digest import Digest
from img.domain.errors import UsageError
from img.domain.oci.annotations import Annotation, AnnotationPlace
from img.domain.outputs import ArchiveOutput, FilesOutput, ImageForm, ImageOutput, Output
from img.domain.process import Volume
from img.domain.progress import VertexWarning
from img.domain.reference import ImageReference
from tests.support.in_memory_app import ELSEWHERE, HERE, InMemoryApp, MemoryContexts, a_request
from tests.support.statements import check_statement

COMMIT = "0123456789" * 4
SECRET = "hunter2hunter2"
NAME = ImageReference.parse("quay.io/team/app:1")


class Places(MemoryContexts):
    def is_directory(self, location: str) -> bool:
        return "://" not in location


def an_app() -> InMemoryApp:
    app = InMemoryApp(contexts=Places())
    app.publish("base", {"bin/sh": b"sh"})
    return app


def build(
    app: InMemoryApp,
    dockerfile: str,
    options: str = "true",
    outputs: Sequence[Output] = (ImageOutput(names=(NAME,)),),
    **more: Any,
) -> BuiltImage | None:
    app.contexts.text = dockerfile
    app.contexts.context = MemoryContext({"a": b"1", "provenance.json": b"{}"})
    platforms = more.pop("platforms", ())
    return app.container.building.build_image()(
        a_request(**more),
        location=".",
        outputs=outputs,
        platforms=platforms,
        attestations=parse_attestations([], options),
    )


def statements(app: InMemoryApp, built: BuiltImage | None) -> list[Any]:
    assert built is not None

    def read(digest: str) -> Any:
        with app.blobs.open(Digest.parse(digest)) as blob:
            return json.loads(blob.read())

    entries = read(str(built.target.digest)).get("manifests", [])
    manifests = [read(each["digest"]) for each in entries if each["platform"]["os"] == "unknown"]
    return [read(layer["digest"]) for each in manifests for layer in each["layers"]]


def test_no_secret_is_stated_wherever_it_is() -> None:
    app = an_app()
    web = MemoryWeb({"https://me:pass@example.com/f": MemoryPage(content=b"1")})
    app.container.building.web.override(web)

    made = build(
        app,
        "FROM base\nARG API_TOKEN\nARG HTTPS_PROXY\nENV COPIED=$API_TOKEN\n"
        "ADD https://me:pass@example.com/f /f\n"
        "RUN use $API_TOKEN\nCOPY a /$API_TOKEN/\n"
        f"# {SECRET}\nCOPY <<E /h\n$API_TOKEN https://me:pass@example.com/\nE\n"
        f"RUN <<E\nuse {SECRET} https://me:pass@example.com/\nE\n",
        build_args={
            "API_TOKEN": SECRET,
            "HTTPS_PROXY": "me:pass@proxy:1",
            "PLACE": "https://me:pass@example.com/?token=abc123",
        },
        contexts={
            "docs": "https://me:pass@example.com/docs.git",
            "layout": "oci-layout:///home/me/base:1",
        },
    )

    (statement,) = statements(app, made)
    check_statement(statement)
    text = json.dumps(statement)
    for data in re.findall(r'"data": "([^"]*)"', text):
        text += _decoded(data)
    assert "COPY <<E" in text and "xxxxx https://xxxxx:xxxxx@example.com/" in text
    for secret in (SECRET, "me:pass", "abc123", "/home/me"):
        assert secret not in text
    request = statement["predicate"]["buildDefinition"]["externalParameters"]["request"]
    assert request["args"]["build-arg:API_TOKEN"] == "xxxxx"
    assert request["args"]["build-arg:HTTPS_PROXY"] == "xxxxx"
    assert not statement["predicate"]["runDetails"]["metadata"]["buildkit_completeness"]["request"]
    (found,) = [
        each
        for each in statement["predicate"]["buildDefinition"]["resolvedDependencies"]
        if each["uri"].startswith("https")
    ]
    assert found["uri"] == "https://xxxxx:xxxxx@example.com/f"
    assert found["digest"]["sha256"] == Digest.of(b"1").encoded


def _decoded(data: str) -> str:
    from base64 import b64decode

    return b64decode(data).decode()


def test_cached_builds_state_the_same_sources() -> None:
    app = an_app()
    dockerfile = (
        "FROM base AS one\nADD https://example.com/f /f\nFROM base\nCOPY --from=one /f /g\n"
    )
    app.container.building.web.override(
        MemoryWeb({"https://example.com/f": MemoryPage(content=b"1")})
    )

    first, second = (statements(app, build(app, dockerfile))[0] for _ in range(2))

    found = [
        each["predicate"]["buildDefinition"]["resolvedDependencies"] for each in (first, second)
    ]
    assert found[0] == found[1] and len(found[0]) == 2


def test_a_named_context_is_stated_also_if_only_cached_steps_read_it() -> None:
    app = an_app()
    files = {(COMMIT, ""): MemoryContext({"f": b"1"})}
    repository = MemoryRepository(refs={"refs/heads/main": COMMIT}, files=files)
    app.container.building.git.override(MemoryGit({"https://example.com/a.git": repository}))
    dockerfile = "FROM base AS one\nCOPY --from=docs f /f\nFROM base\nCOPY --from=one /f /g\n"
    contexts = {"docs": "https://example.com/a.git#main"}

    stated = [
        statements(app, build(app, dockerfile, contexts=contexts))[0]["predicate"] for _ in range(2)
    ]

    for each in stated:
        assert {
            "uri": "https://example.com/a.git#main",
            "digest": {"sha1": COMMIT},
        } in each["buildDefinition"]["resolvedDependencies"]


def test_annotations_of_an_index_are_those_of_the_index_with_attestations() -> None:
    app = an_app()
    note = Annotation(place=AnnotationPlace.INDEX, key="a", value="b")
    output = ImageOutput(names=(NAME,), form=ImageForm(annotations=(note,)))

    made = build(app, "FROM base\nCOPY a /\n", outputs=[output])

    assert made is not None
    with app.blobs.open(made.target.digest) as blob:
        assert json.loads(blob.read())["annotations"] == {"a": "b"}


def test_outputs_without_a_place_for_attestations_are_named() -> None:
    app = an_app()

    build(app, "FROM base\nCOPY a /\n", outputs=[ArchiveOutput(format="docker", destination="/d")])

    warnings = [each.message for each in app.progress.events if isinstance(each, VertexWarning)]
    assert warnings == ["attestations are left out: this type of output has no place for them"]


def test_an_image_of_several_platforms_is_stated_by_the_one_that_was_used() -> None:
    app = InMemoryApp(contexts=Places())
    app.publish("several", {"f": b"1"}, platforms=[HERE, ELSEWHERE])

    stated = [
        statements(app, build(app, "FROM several\nCOPY a /\n"))[0]["predicate"]["buildDefinition"]
        for _ in range(2)  # from the registry, and from the store
    ]

    digests = {each["resolvedDependencies"][0]["digest"]["sha256"] for each in stated}
    assert digests == {app.images.get(ImageReference.parse("several")).target.digest.encoded}


def test_the_state_of_a_working_copy_is_stated_without_credentials() -> None:
    app = an_app()
    copy = WorkingCopy(
        revision="0" * 40, is_changed=True, remote="https://me:pass@example.com/a.git"
    )
    app.container.building.working_copies.override(MemoryWorkingCopies({".": copy}))

    (statement,) = statements(app, build(app, "FROM base\nCOPY a /\n", "mode=min"))

    metadata = statement["predicate"]["runDetails"]["metadata"]["buildkit_metadata"]
    assert metadata["vcs"] == {
        "localdir:context": ".",
        "revision": f"{'0' * 40}-dirty",
        "source": "https://xxxxx:xxxxx@example.com/a.git",
    }


@pytest.mark.parametrize("remote", ["/home/me/a.git", "../a", "file:///home/me/a.git", "~/a:b"])
def test_a_remote_on_this_machine_is_not_stated(remote: str) -> None:
    app = an_app()
    copy = WorkingCopy(revision="0" * 40, is_changed=False, remote=remote)
    app.container.building.working_copies.override(MemoryWorkingCopies({".": copy}))

    (statement,) = statements(app, build(app, "FROM base\nCOPY a /\n", "mode=min"))

    metadata = statement["predicate"]["runDetails"]["metadata"]["buildkit_metadata"]
    assert metadata["vcs"] == {"localdir:context": ".", "revision": "0" * 40}


def test_volumes_of_the_host_are_local_sources() -> None:
    volume = Volume(
        source="/home/me/data", target="/data", read_only=True, device=1, inode=1, state="s"
    )

    app = an_app()
    (statement,) = statements(app, build(app, "FROM base\nRUN x\n", volumes=(volume,)))

    request = statement["predicate"]["buildDefinition"]["externalParameters"]["request"]
    names = [each["name"] for each in request["locals"]]
    assert names == ["context", "dockerfile", "volume:/data"]
    assert "/home/me" not in json.dumps(statement)


def test_local_sources_are_refused_where_all_must_have_digests() -> None:
    with pytest.raises(IncompleteMaterials, match="local sources context, dockerfile"):
        build(an_app(), "FROM base\nCOPY a /\n", "complete-materials=true")


def test_media_types_of_docker_have_no_place_for_attestations_in_an_index() -> None:
    output = ImageOutput(names=(NAME,), form=ImageForm(oci_types=False))

    with pytest.raises(UsageError, match='cannot export attestations with "oci-mediatypes=false"'):
        build(an_app(), "FROM base\n", outputs=[output])


def test_inline_statements_are_only_for_images() -> None:
    app = an_app()
    options = "inline-only=true"

    def target(*outputs: Output) -> Any:
        built = build(app, "FROM base\nCOPY a /\n", options, outputs)
        assert built is not None
        return built.target.media_type.rpartition(".")[0].rpartition(".")[2]

    assert target(ImageOutput(names=(NAME,))) == "index"
    assert target(ArchiveOutput(format="oci", destination="/x")) == "manifest"
    inline = ImageForm(attestation_inline=True)
    assert target(ArchiveOutput(format="oci", destination="/x", form=inline)) == "index"
    assert target(ArchiveOutput(format="docker", destination="/x", form=inline)) == "manifest"


def test_files_have_names_of_platforms_where_these_share_a_directory() -> None:
    app = an_app()
    app.publish("wide", {"f": b"1"}, platforms=[HERE, ELSEWHERE])

    def written(**more: Any) -> list[str]:
        output = FilesOutput(destination="/out.tar", tar=True, attestation_prefix="p-", **more)
        build(app, "FROM scratch\nARG TARGETARCH\nCOPY a /$TARGETARCH\n", "mode=min", [output],
              platforms=[HERE, ELSEWHERE])  # fmt: skip
        files = app.container.system.output_files()
        import io
        import tarfile

        with tarfile.open(fileobj=io.BytesIO(files.files["/out.tar"])) as archive:  # type: ignore[attr-defined]
            return [name for name in archive.getnames() if name.endswith(".json")]

    names = [str(each).replace("/", "_") for each in (HERE, ELSEWHERE)]
    assert written() == [f"{name}/p-provenance.json" for name in names]
    assert written(platform_split=False) == [f"p-provenance.{name}.json" for name in names]


def test_a_statement_replaces_no_file_of_the_image() -> None:
    output = FilesOutput(destination="/out.tar", tar=True)

    with pytest.raises(StatementOverlaps, match=r"provenance\.json"):
        build(an_app(), "FROM scratch\nCOPY . /\n", outputs=[output])
