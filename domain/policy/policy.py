"""img's own policy: the table ``[policy]`` of the settings file (docs/policy.md)."""

import re
from collections.abc import Callable, Mapping, Sequence
from fnmatch import translate
from typing import Any, NoReturn

from img.domain.context_location import LayoutPlace
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import UsageError
from img.domain.filesystem.entry import FILE, Entry
from img.domain.go.quantities import BadQuantity, parse_byte_size
from img.domain.policy.plain_name import plain_image_name
from img.domain.policy.violation import PolicyViolated
from img.domain.reference import DEFAULT_DOMAIN, ImageReference

_SET_ID = 0o6000  # setuid and setgid
_MOST_NAMED = 5  # in a message


class BadPolicy(UsageError):
    """A policy in a settings file that cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedImages:
    """Images that need a signature by one of some keys."""

    images: tuple[str, ...]  # names with * for any text; without any, all images
    keys: tuple[str, ...]  # paths of public keys

    def covers(self, names: Sequence[str]) -> bool:
        """Return whether the rule is about an image with these names: full ones, or an ID."""
        return not self.images or any(
            _like(pattern, name) for pattern in self.images for name in names
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The rules of a settings file; None, False or () is no rule."""

    file: str
    registries: tuple[str, ...] | None = None
    pinned: bool = False
    signed: tuple[SignedImages, ...] = ()
    refused_licenses: tuple[str, ...] = ()
    max_size: int | None = None  # bytes of the layers as they are stored
    no_setuid: bool = False

    @classmethod
    def parse(cls, table: object, file: str, directory: str) -> "Policy":
        """Return the policy in ``table``, of the settings file ``file`` in ``directory``.

        Raises BadPolicy, also for an unknown key.
        """
        if not isinstance(table, dict):
            raise BadPolicy(f"{file}: policy is no table", hint="write [policy], and rules below")
        known: Mapping[str, Callable[[object], object]] = {
            "registries": lambda value: _texts(file, "registries", value),
            "pinned": lambda value: _flag(file, "pinned", value),
            "signed": lambda value: _signed(file, value, directory),
            "refused-licenses": lambda value: _texts(file, "refused-licenses", value),
            "max-size": lambda value: _size(file, "max-size", value),
            "no-setuid": lambda value: _flag(file, "no-setuid", value),
        }
        given: dict[str, Any] = {}
        for name, value in table.items():
            if name not in known:
                _refuse(file, name, f"is unknown; there are {', '.join(known)}")
            given[name.replace("-", "_")] = known[name](value)
        return cls(file=file, **given)

    @property
    def reads_results(self) -> bool:
        """True if a rule is about the image that a build makes."""
        return self.no_setuid or self.max_size is not None or bool(self.refused_licenses)

    def check_image(self, reference: ImageReference | None, text: str, pin: Digest | None) -> None:
        """Check the name of an image that a build reads, before it is fetched.

        ``reference`` is None for an image that no registry named; ``pin`` is the digest of a lock
        file. Raises PolicyViolated.
        """
        if self.registries is not None and not self._is_allowed(reference):
            raise self._violated(
                "registries",
                f"{text} is not from an allowed registry",
                hint=f"allowed are {', '.join(self.registries) or 'none'}",
            )
        if self.pinned and pin is None and not _has_digest(reference, text):
            raise self._violated(
                "pinned", f"{text} has no digest", hint="write NAME@DIGEST, or use --locked"
            )

    def check_download(self, name: str, *, pinned: bool) -> None:
        """Check a download; ``pinned`` if its content is fixed. Raises PolicyViolated."""
        if self.pinned and not pinned:
            raise self._violated(
                "pinned", f"{name} has no checksum", hint="use --checksum, or --locked"
            )

    def keys_for(self, reference: ImageReference | None, text: str) -> Sequence[SignedImages]:
        """Return the rules for signatures of an image."""
        names = [text]
        if reference is not None:  # also without digest and tag, which an author could add
            tagged = f"{reference.repository}:{reference.tag}" if reference.tag else ""
            names = [str(reference), tagged, reference.repository]
            names += map(plain_image_name, names[:])
        return [each for each in self.signed if each.covers(names)]

    def check_size(self, size: int) -> None:
        """Check the size of all layers of an image, in bytes. Raises PolicyViolated."""
        if self.max_size is not None and size > self.max_size:
            raise self._violated(
                "max-size", f"the layers have {size} bytes, {size - self.max_size} too many"
            )

    def is_set_id(self, entry: Entry) -> bool:
        """Return whether ``entry`` is a program that changes its user or group."""
        return self.no_setuid and entry.kind == FILE and bool(entry.mode & _SET_ID)

    def refuse_set_id(self, paths: Sequence[str]) -> PolicyViolated:
        """Return the violation by programs at ``paths``."""
        return self._violated(
            "no-setuid",
            f"setuid or setgid: {_some([f'/{path}' for path in paths])}",
            hint="remove the programs or the bits, such as `chmod a-s`",
        )

    def refuses_license(self, text: str) -> bool:
        """Return whether the license ``text`` of a package is refused.

        Of alternatives (``A OR B``) one has to be allowed.
        """
        if not self.refused_licenses or not text:
            return False
        alternatives = [text] if "(" in text else re.split(r"(?i)\s+or\s+|\s*\|\s*", text)
        return all(self._refuses_one(each) for each in alternatives)

    def refuse_licenses(self, packages: Sequence[str]) -> PolicyViolated:
        """Return the violation by ``packages``, each with its license."""
        return self._violated("refused-licenses", f"refused licenses: {_some(packages)}")

    def unread_packages(self, path: str) -> PolicyViolated:
        """Return the violation by a list of packages that cannot be read."""
        return self._violated(
            "refused-licenses", f"the packages of /{path} cannot be read, nor their licenses"
        )

    def _refuses_one(self, text: str) -> bool:
        words = re.findall(r"[A-Za-z0-9.+-]+", text)
        return any(
            _like(pattern.lower(), each.lower())
            for pattern in self.refused_licenses
            for each in (*words, text.strip())
        )

    def _is_allowed(self, reference: ImageReference | None) -> bool:
        return reference is not None and any(
            _is_below(place, reference) for place in self.registries or ()
        )

    def _violated(self, rule: str, message: str, hint: str | None = None) -> PolicyViolated:
        return PolicyViolated(f"{rule}, {self.file}", message, hint=hint)


def _has_digest(reference: ImageReference | None, text: str) -> bool:
    if reference is not None:
        return reference.digest is not None
    layout = LayoutPlace.parse(text)
    return layout is None or layout.digest is not None  # other texts are IDs


def _is_below(place: str, reference: ImageReference) -> bool:
    """Return whether an image is in a registry, or below a path of one."""
    wanted = place.rstrip("/")
    if wanted.startswith("library/") or wanted == "library":
        wanted = f"{DEFAULT_DOMAIN}/{wanted}"
    name = reference.repository
    return name == wanted or name.startswith(f"{wanted}/")


def _like(pattern: str, text: str) -> bool:
    quoted = re.sub(r"[\[\]?]", lambda found: f"[{found[0]}]", pattern)
    return re.fullmatch(translate(quoted), text) is not None


def _some(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _texts(file: str, name: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) and each for each in value):
        _refuse(file, name, 'must be a list of texts, such as ["a", "b"]')
    return tuple(value)


def _flag(file: str, name: str, value: object) -> bool:
    if not isinstance(value, bool):
        _refuse(file, name, "must be true or false")
    return value


def _size(file: str, name: str, value: object) -> int:
    try:
        size = parse_byte_size(value) if isinstance(value, str) else value
    except BadQuantity:
        size = -1
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        _refuse(file, name, 'must be a size, such as "500MB"')
    return size


def _signed(file: str, value: object, directory: str) -> tuple[SignedImages, ...]:
    tables = value if isinstance(value, list) else [value]
    return tuple(_signed_images(file, each, directory) for each in tables)


def _signed_images(file: str, table: object, directory: str) -> SignedImages:
    if not isinstance(table, dict):
        _refuse(file, "signed", 'must be tables, such as [[policy.signed]] with key = "cosign.pub"')
    given: Mapping[str, object] = table
    for name in given:
        if name not in ("images", "key", "keys"):
            _refuse(file, f"signed.{name}", "is unknown; there are images, key, keys")
    keys = list(_texts(file, "signed.keys", given.get("keys", [])))
    if "key" in given:
        keys += _texts(file, "signed.key", [given["key"]])
    if not keys:
        _refuse(file, "signed", "needs a key")
    places = tuple(each if each.startswith("/") else f"{directory}/{each}" for each in keys)
    return SignedImages(images=_texts(file, "signed.images", given.get("images", [])), keys=places)


def _refuse(file: str, name: str, problem: str) -> NoReturn:
    raise BadPolicy(f"{file}: {name} in [policy] {problem}")
