"""Configuration of registries: mirrors, other locations, blocked registries.

The rules are those of containers-registries.conf(5), version 2.
"""

from collections.abc import Iterable, Mapping
from dataclasses import field
from enum import Enum

from img.domain.dataclass import dataclass
from img.domain.errors import ImgError, RemoteError
from img.domain.reference import DEFAULT_DOMAIN, ImageReference


class RegistriesUnreadable(ImgError):
    """An invalid configuration file of registries."""

    def __init__(self, path: object, why: str) -> None:
        super().__init__(f"registry configuration {path}: {why}")


class RegistryBlocked(RemoteError):
    """A name that this machine's configuration blocks."""

    def __init__(self, reference: ImageReference, prefix: str) -> None:
        super().__init__(
            f"{reference.familiar}: the registry configuration blocks {prefix}",
            hint="see `blocked` in registries.conf",
        )


class PullFrom(Enum):
    """The kinds of names that a mirror is used for."""

    ALL = "all"
    DIGESTS = "digest-only"
    TAGS = "tag-only"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A location of images: a host, and optionally the start of a path."""

    location: str
    insecure: bool = False
    pull_from: PullFrom = PullFrom.ALL

    def suits(self, reference: ImageReference, *, pinned: bool) -> bool:
        """Return whether this mirror is used; ``pinned`` means that the digest is known."""
        match self.pull_from:
            case PullFrom.ALL:
                return True
            case PullFrom.DIGESTS:
                return pinned or reference.digest is not None
            case PullFrom.TAGS:
                return reference.digest is None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryRule:
    """The rule for names that start with ``prefix``."""

    prefix: str  # "*.example.com" matches each subdomain of example.com
    location: str = ""  # replaces the prefix; "": the name is the location
    insecure: bool = False
    blocked: bool = False
    mirrors: tuple[Endpoint, ...] = ()
    only_mirrors: bool = False  # if there are any, pulls do not try the registry itself

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return the mirrors, then the registry itself."""
        return (*self.mirrors, self.origin)

    @property
    def origin(self) -> Endpoint:
        """The registry itself."""
        return Endpoint(location=self.location or self.prefix, insecure=self.insecure)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryRules:
    """The whole configuration of registries."""

    rules: tuple[RegistryRule, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)  # short name -> repository

    def pull_places(
        self, reference: ImageReference, *, pinned: bool = False
    ) -> tuple[ImageReference, ...]:
        """Return the names to try for ``reference``, in order; the last is its own registry.

        With ``only_mirrors`` that is left out. ``pinned`` means that the digest is known, so a
        mirror cannot supply wrong content. Raises RegistryBlocked, InvalidReference.
        """
        reference = self._unaliased(reference)
        rule = self._rule_for(reference)
        if rule is None:
            return (reference,)
        mirrors = [m for m in rule.mirrors if m.suits(reference, pinned=pinned)]
        places = [_moved(reference, rule.prefix, m.location) for m in mirrors]
        if places and rule.only_mirrors:
            return tuple(places)
        return (*places, self._origin(reference, rule))

    def push_place(self, reference: ImageReference) -> ImageReference:
        """Return the push location of ``reference``. Raises RegistryBlocked, InvalidReference."""
        rule = self._rule_for(reference)
        return reference if rule is None else self._origin(reference, rule)

    def is_insecure(self, name: str) -> bool:
        """Return whether ``name``, a host or repository, may use plain HTTP or bad certificates."""
        return any(
            endpoint.insecure and _match(name, endpoint.location)
            for rule in self.rules
            for endpoint in rule.endpoints()
        )

    def merged(self, later: "RegistryRules") -> "RegistryRules":
        """Return both; of two rules for one prefix, or two aliases, the later one counts."""
        by_prefix = {rule.prefix: rule for rule in (*self.rules, *later.rules)}
        return RegistryRules(
            rules=tuple(by_prefix.values()), aliases={**self.aliases, **later.aliases}
        )

    def _unaliased(self, reference: ImageReference) -> ImageReference:
        target = self.aliases.get(reference.familiar_name)
        if target is None or reference.domain != DEFAULT_DOMAIN:
            return reference
        return _named(reference, target)

    def _rule_for(self, reference: ImageReference) -> RegistryRule | None:
        """Return the rule with the longest match."""
        name = str(reference)
        fitting = [rule for rule in self.rules if _match(name, rule.prefix)]
        return max(fitting, key=lambda rule: _match(name, rule.prefix), default=None)

    def _origin(self, reference: ImageReference, rule: RegistryRule) -> ImageReference:
        if rule.blocked:
            raise RegistryBlocked(reference, rule.prefix)
        return _moved(reference, rule.prefix, rule.location) if rule.location else reference


def rules_in_effect(parts: Iterable[RegistryRules]) -> RegistryRules:
    """Return the merged rules of several files; later files have precedence."""
    together = RegistryRules()
    for part in parts:
        together = together.merged(part)
    return together


def _match(name: str, prefix: str) -> int:
    """Return the number of characters of ``name`` that the prefix matches, 0 for none."""
    if prefix.startswith("*."):
        host = name.partition("/")[0]
        return len(host) if host.endswith(prefix[1:]) else 0
    if not name.startswith(prefix):
        return 0
    rest = name[len(prefix) :]
    # A path follows a host: "example.com" does not match example.com:5000.
    ends = "/:@" if "/" in prefix else "/"
    return len(prefix) if not rest or rest[0] in ends else 0


def _moved(reference: ImageReference, prefix: str, location: str) -> ImageReference:
    """Return ``reference`` with ``location`` in place of the part that ``prefix`` matches."""
    repository = reference.repository
    return _named(reference, location + repository[_match(str(reference), prefix) :])


def _named(reference: ImageReference, repository: str) -> ImageReference:
    """Return the tag and digest of ``reference`` in another repository. Raises InvalidReference."""
    domain, _, path = repository.partition("/")
    return ImageReference(domain=domain, path=path, tag=reference.tag, digest=reference.digest)
