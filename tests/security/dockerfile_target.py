"""Dockerfiles with their ignore files and options, as targets of the fuzzer.

Each is checked, outlined, listed and built, by the commands' own use cases: bases are those of a
registry in memory, files of the web and of git are in memory too, and RUN runs nothing.
"""

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from dependency_injector import providers

from img.adapters.git.memory import MemoryGit
from img.adapters.registry.memory import MemoryRegistry
from img.adapters.secret_source.memory import MemorySecrets
from img.adapters.web.memory import MemoryPage, MemoryWeb
from img.application.usecases.check import (
    CheckedDockerfile,
    ListedTargets,
    OutlinedDockerfile,
)
from img.domain.digest import Digest
from img.domain.errors import ImgError
from img.domain.oci import media_types
from img.domain.oci.descriptor import Descriptor
from img.domain.outputs import CacheOnly, FilesOutput
from img.domain.reference import ImageReference
from img.entrypoints.cli import checks
from tests.security.dockerfile_grammar import DockerfileMaker
from tests.security.document_targets import CONFIG, LAYER, manifest_of
from tests.security.fuzzing import shorter
from tests.security.hostile_texts import TextMaker
from tests.security.in_process import Beside, InProcess
from tests.security.request_options import Options, request_of, some_options
from tests.support.conformance_tables import edge_rows
from tests.support.images.evil_archives import a_tar, info

_TABLES = ("dockerfile_ast", "dockerfile_instructions", "lint_rules", "outline", "build_plan")
_IGNORES = ("*\n!a", "# x\n**/*.txt\n!sub/**\n", "sub\n!sub/deep\n", "a.tar\n[a-c]*\n", "!\n", "*")
_TRIGGERS = ["COPY --from=0 / /t", "RUN --mount=type=cache,target=/c x", "ARG A", "USER $A"]


@dataclass(frozen=True)
class HostileDockerfile:
    """A Dockerfile, the ignore file beside it, and options."""

    text: bytes
    ignore: bytes | None = None
    options: Options = ()


class AnyImage(MemoryRegistry):
    """A registry that has every image: small ones, some with ONBUILD triggers."""

    def __init__(self) -> None:
        super().__init__()
        triggers = {**CONFIG, "config": {**CONFIG["config"], "OnBuild": _TRIGGERS}}
        for name, document in (("usual", CONFIG), ("onbuild", triggers)):
            self._add(ImageReference.parse(f"registry.test/{name}:latest"), document)

    def _add(self, name: ImageReference, document: object) -> None:
        config = json.dumps(document).encode()
        manifest = json.dumps(manifest_of(config)).encode()
        for blob in (LAYER, config):
            self.add_blob(name, blob)
        self.push_manifest(name, manifest, media_types.OCI_MANIFEST)

    def resolve(self, reference: ImageReference) -> Descriptor:
        kind = "onbuild" if "onbuild" in reference.repository else "usual"
        known = ImageReference.parse(f"registry.test/{kind}:latest")
        return super().resolve(known.with_digest(reference.digest) if reference.digest else known)

    def _blob_of(self, reference: ImageReference, digest: Digest) -> bytes | None:
        return next((blob for (_, key), blob in self._blobs.items() if key == digest), None)

    def _manifest_of(self, reference: ImageReference) -> tuple[bytes, str]:
        found = (each for (_, key), each in self._manifests.items() if key == reference.digest)
        return next(found, None) or super()._manifest_of(reference)


class _AnyPage(dict[str, MemoryPage]):
    def get(self, key: str, default: object = None) -> MemoryPage:
        return MemoryPage(content=b"x" if len(key) % 2 else _ARCHIVE, etag=key[:20])


_ARCHIVE = a_tar(info("f", b"5"), (info("f/g"), b"x"))


class Dockerfiles(Beside[HostileDockerfile]):
    """The language: read, planned, checked and built."""

    name = "dockerfiles"

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        self.img = InProcess(place, executor="scripted")
        container = self.img.container
        container.registries.registry.override(providers.Object(AnyImage()))
        container.building.web.override(providers.Object(MemoryWeb(pages=_AnyPage())))
        container.building.git.override(providers.Object(MemoryGit()))
        container.execution.secrets.override(
            providers.Object(MemorySecrets(secrets={"s": b"of the secret"}))
        )
        self._write_context()
        self._samples = [row["dockerfile"] for table in _TABLES for row in edge_rows(table)]

    def _write_context(self) -> None:
        context = self.img.context
        for name in ("a", "b.txt", "sub/deep/c.txt", "sub/d", "a b"):
            (context / name).parent.mkdir(parents=True, exist_ok=True)
            (context / name).write_text(name)
        (context / "a.tar").write_bytes(_ARCHIVE)
        (context / "link").symlink_to("sub")

    def close(self) -> None:
        self.img.close()

    def make(self, rng: random.Random) -> HostileDockerfile:
        samples = [DockerfileMaker(rng).make(), *rng.sample(self._samples, 3)]
        text = TextMaker(rng, samples).text() if rng.random() < 0.5 else samples[0]
        ignore = TextMaker(rng, _IGNORES).text() if rng.random() < 0.3 else None
        content = text.encode("utf-8", "surrogatepass" if rng.random() < 0.5 else "replace")
        return HostileDockerfile(
            text=content,
            ignore=None if ignore is None else ignore.encode("utf-8", "surrogatepass"),
            options=some_options(rng),
        )

    def take(self, given: HostileDockerfile) -> None:
        context = self.img.context
        (context / "Dockerfile").write_bytes(given.text)
        (context / ".dockerignore").unlink(missing_ok=True)
        if given.ignore is not None:
            (context / ".dockerignore").write_bytes(given.ignore)
        refusals = [error for ask in self._questions(given) if (error := _refusal(ask))]
        if refusals:
            raise refusals[-1]

    def _questions(self, given: HostileDockerfile) -> Iterator[Callable[[], object]]:
        request = request_of(given.options)
        container, location = self.img.container, str(self.img.context)
        yield lambda: _show_targets(container.dockerfiles.list_targets()(location=location))
        yield lambda: _show_check(
            container.dockerfiles.check_dockerfile()(request, location=location)
        )
        yield lambda: _show_outline(
            container.dockerfiles.outline_dockerfile()(request, location=location)
        )
        yield lambda: container.building.build_image()(
            request,
            location=location,
            outputs=(FilesOutput(destination=str(self.work / "out")), CacheOnly()),
        )

    def smaller(self, given: HostileDockerfile) -> Iterator[HostileDockerfile]:
        if given.ignore is not None:
            yield replace(given, ignore=None)
        for at in range(len(given.options)):
            yield replace(given, options=given.options[:at] + given.options[at + 1 :])
        for text in shorter(given.text, b"\n"):
            yield replace(given, text=text)

    def parse(self, content: bytes) -> HostileDockerfile:
        kept = json.loads(content)
        ignore = kept["ignore"]
        return HostileDockerfile(
            text=kept["dockerfile"].encode("utf-8", "surrogateescape"),
            ignore=None if ignore is None else ignore.encode("utf-8", "surrogateescape"),
            options=tuple((name, value) for name, value in kept["options"]),
        )

    def render(self, given: HostileDockerfile) -> bytes:
        ignore = given.ignore
        kept = {
            "dockerfile": given.text.decode("utf-8", "surrogateescape"),
            "ignore": None if ignore is None else ignore.decode("utf-8", "surrogateescape"),
            "options": given.options,
        }
        return json.dumps(kept, indent=1).encode()


def _refusal(ask: Callable[[], object]) -> ImgError | None:
    try:
        ask()
    except ImgError as error:
        return error
    return None


def _show_targets(listed: ListedTargets) -> None:
    checks.targets_text(listed)
    json.dumps(checks.targets_document(listed))


def _show_check(checked: CheckedDockerfile) -> None:
    checks.check_text(checked)
    json.dumps(checks.check_document(checked))
    if checked.error:
        raise checked.error


def _show_outline(outlined: OutlinedDockerfile) -> None:
    checks.outline_text(outlined)
    json.dumps(checks.outline_document(outlined))
