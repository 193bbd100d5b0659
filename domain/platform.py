"""Which machines an image suits."""

import re
from dataclasses import dataclass

from img.domain.errors import ImgError

_ARCHITECTURES = {
    "x86_64": ("amd64", ""),
    "x86-64": ("amd64", ""),
    "amd64": ("amd64", ""),
    "i386": ("386", ""),
    "i486": ("386", ""),
    "i586": ("386", ""),
    "i686": ("386", ""),
    "386": ("386", ""),
    "aarch64": ("arm64", ""),
    "arm64": ("arm64", ""),
    "armhf": ("arm", "v7"),
    "armv7l": ("arm", "v7"),
    "armel": ("arm", "v6"),
    "armv6l": ("arm", "v6"),
}


class InvalidPlatform(ImgError):
    """Text that names no platform."""

    def __init__(self, text: str) -> None:
        super().__init__(
            f"failed to parse platform {text!r}", hint="use os/architecture, such as linux/arm64"
        )
        self.text = text


@dataclass(frozen=True, slots=True, order=True)
class Platform:
    """An operating system and a processor (image-spec image-index.md, "platform")."""

    os: str
    architecture: str
    variant: str = ""
    os_version: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)

    @classmethod
    def parse(cls, text: str, host: "Platform") -> "Platform":
        """Return the platform that ``os``, ``arch`` or ``os/arch[/variant]`` names.

        What is left out comes from ``host``. Raises InvalidPlatform.
        """
        parts = text.lower().split("/")
        if len(parts) > 3 or not all(re.fullmatch(r"[a-z0-9_.()-]+", part) for part in parts):
            raise InvalidPlatform(text)
        if len(parts) == 1:
            if parts[0] in _ARCHITECTURES:
                return cls(host.os, parts[0]).normalized()
            if parts[0] in {"linux", "windows", "darwin", "freebsd"}:
                return cls(parts[0], host.architecture, host.variant).normalized()
            raise InvalidPlatform(text)
        return cls(*parts).normalized()

    def normalized(self) -> "Platform":
        """Return the platform under its standard names (containerd platforms, "Normalize")."""
        os = "darwin" if self.os == "macos" else self.os
        architecture, variant = _ARCHITECTURES.get(self.architecture, (self.architecture, ""))
        variant = self.variant or variant
        if architecture == "arm64" and variant in {"8", "v8"}:
            variant = ""
        elif architecture == "arm":
            variant = {"": "v7", "5": "v5", "6": "v6", "7": "v7", "8": "v8"}.get(variant, variant)
        elif architecture == "amd64" and variant == "v1":
            variant = ""
        return Platform(os, architecture, variant, self.os_version)


_ARM = ("v8", "v7", "v6", "v5")


def preference(wanted: Platform, offered: Platform) -> int | None:
    """Return how well ``offered`` suits ``wanted``: 0 is best, None is not at all.

    An arm processor runs older variants too; amd64 likewise (containerd platforms, "Only").
    """
    wanted, offered = wanted.normalized(), offered.normalized()
    if (wanted.os, wanted.architecture) != (offered.os, offered.architecture):
        if (wanted.os, wanted.architecture) == (
            offered.os,
            "arm64",
        ) and offered.architecture == "arm":
            return _arm_preference("v8", offered.variant, penalty=1)
        return None
    if wanted.architecture == "arm":
        return _arm_preference(wanted.variant, offered.variant, penalty=0)
    if wanted.architecture == "amd64":
        levels = int(wanted.variant[1:] or 1) if wanted.variant else 1
        level = int(offered.variant[1:] or 1) if offered.variant else 1
        return levels - level if level <= levels else None
    return 0 if wanted.variant == offered.variant else None


def _arm_preference(wanted: str, offered: str, penalty: int) -> int | None:
    if wanted not in _ARM or offered not in _ARM[_ARM.index(wanted) :]:
        return None
    return _ARM.index(offered) - _ARM.index(wanted) + penalty
