"""Checks of small Dockerfiles: ``a_check("FROM scratch", ...)``."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from img.adapters.dockerfile_parser.dockerfile_parse import DockerfileParseParser
from img.adapters.state_lock.memory import MemoryStateLock
from img.application.planning.analyse import AnalyseDockerfile
from img.application.planning.resolve import ResolvedBase
from img.application.ports.build_context import Dockerfiles, DockerfileText
from img.application.usecases.check import CheckDockerfile, CheckedDockerfile
from img.domain.build import BaseName, BuildRequest
from img.domain.oci.config import RunConfig
from img.domain.oci.descriptor import Descriptor
from img.domain.platform import Platform
from img.domain.pull_policy import PullPolicy
from img.domain.reference import ImageReference
from tests.support.plans import a_base, a_request


class OneDockerfile(Dockerfiles):
    """Finds the same Dockerfile everywhere."""

    def __init__(self, text: str, ignore: str | None = None) -> None:
        self._found = DockerfileText(name="Dockerfile", content=text.encode(), ignore=ignore)

    def dockerfile(self, location: str, file: str | None) -> DockerfileText:
        return self._found


@dataclass(frozen=True)
class AnyImage:
    """Finds every image: with the config that ``runs`` has for its name, or a plain one."""

    runs: Mapping[str, RunConfig] = field(default_factory=dict)
    platform: Platform | None = None  # what they all say they are for; None: what is asked for

    def __call__(
        self, names: Iterable[BaseName], *, pull: PullPolicy = PullPolicy.MISSING
    ) -> Mapping[BaseName, ResolvedBase]:
        return {name: self._resolved(name) for name in names}

    def _resolved(self, name: BaseName) -> ResolvedBase:
        short = ImageReference.parse(name.text).familiar_name
        image = a_base(name.text, self.runs.get(short), self.platform or name.platform)
        target = Descriptor(media_type="", digest=image.manifest, size=1)
        return ResolvedBase(
            image=image, reference=ImageReference.parse(name.text), target=target, named=True
        )


def a_check(
    text: str,
    request: BuildRequest | None = None,
    *,
    ignore: str | None = None,
    images: AnyImage | None = None,
) -> CheckedDockerfile:
    check = CheckDockerfile(
        dockerfiles=OneDockerfile(text, ignore),
        analyse=AnalyseDockerfile(parser=DockerfileParseParser(), resolve=images or AnyImage()),
        lock=MemoryStateLock(),
    )
    return check(request or a_request(), location=".")


def said(
    text: str,
    request: BuildRequest | None = None,
    *,
    ignore: str | None = None,
    images: AnyImage | None = None,
) -> list[str]:
    """Return the warnings on ``text`` as a build shows them."""
    found = a_check(text, request, ignore=ignore, images=images)
    return [warning.summary for warning in found.warnings]
