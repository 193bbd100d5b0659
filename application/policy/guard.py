"""The guard that applies policies; few builds have any."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from img.application.policy.signed_images import CheckSigned
from img.application.transfer.pins import Pins
from img.application.transfer.source_guard import SourceGuard
from img.domain.dataclass import dataclass
from img.domain.digest import Digest, InvalidDigest
from img.domain.errors import ImgError
from img.domain.graph.operations import FetchGit, FetchUrl
from img.domain.graph.vertex import Plan, Vertex
from img.domain.policy.git_source import git_identifier, with_git_identifier
from img.domain.policy.plain_name import climbs, plain_name
from img.domain.policy.policy import Policy
from img.domain.policy.source_policy import Source, SourcePolicy, evaluated
from img.domain.policy.violation import PolicyViolated, forbidden
from img.domain.reference import ImageReference
from img.domain.url import redact_credentials

_IMAGE = "docker-image://"
_LOCAL = "local://"
_HTTP_CHECKSUM = "http.checksum"
_GIT_CHECKSUM = "git.checksum"
_WEB = ("http://", "https://")


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyGuard(SourceGuard):
    """BuildKit's source policies, then img's own."""

    sources: tuple[SourcePolicy, ...]
    rules: tuple[Policy, ...]
    signed: CheckSigned

    def named_image(self, text: str, reference: ImageReference | None) -> ImageReference | None:
        name = text if "://" in text else f"{_IMAGE}{text if reference is None else reference}"
        found = self._evaluated(Source(name)).identifier
        if found == name:
            return reference
        if not found.startswith(_IMAGE) or reference is None:
            raise _no_conversion(name, found)
        try:
            return ImageReference.parse(found.removeprefix(_IMAGE))
        except ImgError:
            raise _no_conversion(name, found) from None

    def pinned_image(self, text: str, reference: ImageReference | None, pin: Digest | None) -> None:
        for policy in self.rules:
            policy.check_image(reference, text if reference is None else str(reference), pin)

    def found_image(self, text: str, reference: ImageReference | None, manifest: Digest) -> None:
        for policy in self.rules:
            for rule in policy.keys_for(reference, text):
                self.signed(reference, manifest, rule.keys)

    def download(self, operation: FetchUrl, pins: Pins) -> FetchUrl:
        given = {} if operation.checksum is None else {_HTTP_CHECKSUM: str(operation.checksum)}
        found = self._evaluated(Source(operation.url, given))
        self._refuse_climbing(found.identifier)
        if not found.identifier.startswith(_WEB):
            raise _no_conversion(operation.url, found.identifier)
        checksum = _checksum_of(found.attributes) or operation.checksum
        operation = replace(operation, url=found.identifier, checksum=checksum)
        if any(policy.pinned for policy in self.rules):
            fixed = checksum is not None or pins.url(operation.url) is not None
            self._check_download(operation.url, pinned=fixed)
        return operation

    def checkout(self, operation: FetchGit, pins: Pins) -> FetchGit:
        name = git_identifier(operation)
        given = {"git.fullurl": operation.remote, _GIT_CHECKSUM: operation.checksum}
        found = self._evaluated(Source(name, given))
        self._refuse_climbing(found.identifier)
        if found.identifier != name:
            changed = with_git_identifier(operation, found.identifier)
            if changed is None:
                raise _no_conversion(name, found.identifier)
            operation = changed
        operation = replace(operation, checksum=found.attributes.get(_GIT_CHECKSUM, ""))
        if any(policy.pinned for policy in self.rules):
            fixed = is_commit(operation.checksum) or is_commit(operation.ref)
            remote, ref = operation.remote, operation.ref
            self._check_download(name, pinned=fixed or pins.commit(remote, ref) is not None)
        return operation

    def local(self, name: str) -> None:
        found = evaluated(self.sources, Source(f"{_LOCAL}{name}")).identifier
        if found != f"{_LOCAL}{name}":
            raise _no_conversion(f"{_LOCAL}{name}", found)

    def _evaluated(self, source: Source) -> Source:
        """Return the source to use. Its plain spelling has to be allowed too."""
        found = evaluated(self.sources, source)
        plain = plain_name(found.identifier)
        if plain != found.identifier:
            evaluated(self.sources, Source(plain, found.attributes))
        return found

    def _refuse_climbing(self, identifier: str) -> None:
        if self.sources and climbs(identifier):
            raise PolicyViolated(
                "source policy",
                f"{redact_credentials(identifier)} has . or .. in its path",
                hint="write the path that it means",
            )

    def _check_download(self, name: str, *, pinned: bool) -> None:
        for policy in self.rules:
            policy.check_download(redact_credentials(name), pinned=pinned)


def guarded_plan(plan: Plan, guard: SourceGuard, pins: Pins) -> Plan:
    """Return ``plan`` with the downloads that ``guard`` wants. Raises StepForbidden.

    All that the target needs is checked, whether it is in the cache or not.
    """
    vertices = list(plan.graph.vertices)
    for position in plan.graph.needed_for(plan.target):
        vertices[position] = _guarded(vertices[position], guard, pins)
    return replace(plan, graph=replace(plan.graph, vertices=tuple(vertices)))


def _guarded(vertex: Vertex, guard: SourceGuard, pins: Pins) -> Vertex:
    with _at(vertex):
        match vertex.operation:
            case FetchUrl() as download:
                return replace(vertex, operation=guard.download(download, pins))
            case FetchGit() as checkout:
                return replace(vertex, operation=guard.checkout(checkout, pins))
            case _:
                return vertex


@contextmanager
def _at(vertex: Vertex) -> Iterator[None]:
    try:
        yield
    except PolicyViolated as error:
        raise forbidden(error, vertex.lines) from error


def is_commit(ref: str) -> bool:
    """Return whether a git ref is the full name of a commit."""
    return len(ref) in (40, 64) and set(ref) <= set("0123456789abcdef")


def _checksum_of(attributes: Mapping[str, str]) -> Digest | None:
    text = attributes.get(_HTTP_CHECKSUM, "")
    if not text:
        return None
    try:
        return Digest.parse(text)
    except InvalidDigest:
        raise PolicyViolated("CONVERT", f"{text!r} is no checksum") from None


def _no_conversion(name: str, found: str) -> PolicyViolated:
    return PolicyViolated(
        "CONVERT", f"{redact_credentials(name)} cannot be converted to {redact_credentials(found)}"
    )
