"""Which machines an image suits."""

import re
from dataclasses import replace

from img.domain.dataclass import dataclass
from img.domain.errors import ImgError

# GOOS and GOARCH as Go knows them (containerd platforms, database.go).
_KNOWN_OS = {"aix", "android", "darwin", "dragonfly", "freebsd", "hurd", "illumos",
             "ios", "js", "linux", "nacl", "netbsd", "openbsd", "plan9", "solaris",
             "windows", "zos"}  # fmt: skip
_KNOWN_ARCHITECTURES = {"386", "amd64", "amd64p32", "arm", "armbe", "arm64", "arm64be",
                        "loong64", "mips", "mipsle", "mips64", "mips64le", "mips64p32",
                        "mips64p32le", "ppc", "ppc64", "ppc64le", "riscv", "riscv64",
                        "s390", "s390x", "sparc", "sparc64", "wasm"}  # fmt: skip
# What uname(2) calls a machine, where normalisation (which is Docker's) does not know it.
_MACHINES = {
    "i486": "i386",
    "i586": "i386",
    "i686": "i386",
    "armv7l": "armhf",
    "armv6l": "armel",
    "loongarch64": "loong64",
}
_OS_PART = (
    r"(?P<name>[A-Za-z0-9_-]+)"
    r"(?:\((?P<version>[A-Za-z0-9_.%-]*)(?P<features>(?:\+[A-Za-z0-9_.%-]+)*)\))?"
)
_PART = r"[A-Za-z0-9_.-]+"
_MOST_FEATURES = 10**6  # of one platform: more values no JSON document may have
# The first build of each long-term release of Windows Server since 2022.
_LTSC = (20348, 26100)


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
    os_features: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)

    @property
    def full_name(self) -> str:
        """The name with version and features, these sorted: windows(10.0.17763+win32k)/amd64."""
        features = sorted(set(self.os_features) - {""})
        details = "".join([_escaped(self.os_version), *(f"+{_escaped(f)}" for f in features)])
        os = f"{self.os}({details})" if details else self.os
        return "/".join(part for part in (os, self.architecture, self.variant) if part)

    @classmethod
    def parse(cls, text: str, host: "Platform") -> "Platform":
        """Return, normalized, the platform that ``os``, ``arch`` or ``os/arch[/variant]`` names.

        What is left out comes from ``host`` (containerd platforms, "Parse").
        Raises InvalidPlatform.
        """
        first, *rest = text.split("/")
        os = re.fullmatch(_OS_PART, first)
        if os is None or len(rest) > 2 or not all(re.fullmatch(_PART, part) for part in rest):
            raise InvalidPlatform(text)
        architecture, variant = (*rest, "")[:2] if rest else (host.architecture, host.variant)
        try:
            version = _unescaped(os["version"] or "")
            features = tuple(_unescaped(f) for f in (os["features"] or "").split("+") if f)
        except ValueError:
            raise InvalidPlatform(text) from None
        known = cls(os["name"], architecture, variant, version, features).normalized()
        if rest or known.os in _KNOWN_OS:
            return known
        guess = cls(host.os, first).normalized()
        if guess.architecture not in _KNOWN_ARCHITECTURES:
            raise InvalidPlatform(text)
        return guess

    @classmethod
    def of_machine(cls, machine: str) -> "Platform":
        """Return the Linux platform of a machine that uname(2) calls ``machine``."""
        return cls("linux", _MACHINES.get(machine, machine)).normalized()

    def normalized(self) -> "Platform":
        """Return the platform under its standard names (containerd platforms, "Normalize").

        The operating system of a document that names none is Linux, the only one that img runs on.
        """
        os = self.os.lower() or "linux"
        architecture, variant = _processor(self.architecture.lower(), self.variant.lower())
        return replace(
            self,
            os="darwin" if os == "macos" else os,
            architecture=architecture,
            variant=variant,
        )


def parse_platforms(text: str, host: Platform) -> tuple[Platform, ...]:
    """Return the platforms of a list with commas, such as --platform's, each once.

    ``local`` is the ``host``'s. Raises InvalidPlatform.
    """
    found = (
        host if part.lower() == "local" else Platform.parse(part, host).normalized()
        for part in text.split(",")
    )
    return tuple(dict.fromkeys(found))


def preference(wanted: Platform, offered: Platform) -> int | None:
    """Return how well ``offered`` suits ``wanted``: the lowest is best, None is not at all.

    A processor runs what was made for older ones too. What needs features of the operating system
    suits those who have them all, and of those the one that uses most is best. The source is
    containerd platforms, "Only".
    """
    wanted, offered = wanted.normalized(), offered.normalized()
    runs = _runs(wanted.architecture, wanted.variant)
    processor = (offered.architecture, offered.variant)
    if wanted.os != offered.os or processor not in runs:
        return None
    needs = list(offered.os_features)
    if wanted.os == "windows":
        if not _runs_windows(wanted.os_version, offered.os_version):
            return None
        if "win32k" in needs:  # all have it
            needs.remove("win32k")
    if not set(needs) <= set(wanted.os_features):
        return None
    return runs.index(processor) * _MOST_FEATURES - len(offered.os_features)


def _processor(architecture: str, variant: str) -> tuple[str, str]:
    """Return the standard architecture and variant; the usual variant of amd64 and arm64 is ""."""
    match architecture, variant:
        case "i386", _:
            return "386", ""
        case "x86_64" | "x86-64" | "amd64", _:
            return "amd64", "" if variant == "v1" else variant
        case "aarch64" | "arm64", "8" | "v8" | "v8.0":
            return "arm64", ""
        case "aarch64" | "arm64", "9" | "9.0" | "v9.0":
            return "arm64", "v9"
        case "aarch64", _:
            return "arm64", variant
        case "armhf", _:
            return "arm", "v7"
        case "armel", _:
            return "arm", "v6"
        case "arm", "":
            return "arm", "v7"
        case "arm", "5" | "6" | "7" | "8":
            return "arm", f"v{variant}"
        case _:
            return architecture, variant


def _runs(architecture: str, variant: str) -> list[tuple[str, str]]:
    """Return the processors whose programs this one runs, best first, itself at the head."""
    itself = (architecture, variant)
    match architecture:
        case "amd64":
            return [itself, *(_processor("amd64", v) for v in _older(variant, 1)), ("386", "")]
        case "arm":
            return [itself, *(("arm", older) for older in _older(variant, 5))]
        case "arm64":
            known = [("arm64", v) for v in _arm64(variant)]
            return [*known, *_runs("arm", "v8")] if known else []
        case _:
            return [itself]


def _older(variant: str, oldest: int) -> list[str]:
    number = re.fullmatch(r"v?(\d{1,3})", variant, re.ASCII)
    return [f"v{n}" for n in range(int(number[1]) - 1, oldest - 1, -1)] if number else []


def _arm64(variant: str) -> list[str]:
    """Return v8.N or v9.N and the variants below it; Armv9.N holds all of Armv8.(N+5).

    Containerd knows the variants to v8.9 and v9.7; of others it takes none, not even the same.
    """
    number = re.fullmatch(r"v(8|9)(?:\.([1-9]))?", variant or "v8")
    if number is None or number[0] > "v9.7":
        return []
    minor = int(number[2] or 0)
    if number[1] == "8":
        return [f"v8.{n}" if n else "" for n in range(minor, -1, -1)]
    nines = [f"v9.{n}" if n else "v9" for n in range(minor, -1, -1)]
    return [*nines, *_arm64(f"v8.{min(minor + 5, 9)}")]


def _runs_windows(host: str, version: str) -> bool:
    """Tell whether Windows of the version ``host`` runs images of ``version``.

    A server of 2022 or later runs the images of its own and of the last long-term release before
    it (containerd platforms, platform_windows_compat.go).
    """
    if _windows_build(host) == (0, 0, 0) or not version:
        return True
    *family, build = _windows_build(host)
    *of_image, own = _windows_build(version)
    if family != of_image or build < _LTSC[0]:
        return family == of_image and build == own
    oldest = max([release for release in _LTSC if release < build], default=_LTSC[0])
    return oldest <= own <= build


def _windows_build(version: str) -> tuple[int, int, int]:
    """Return major, minor and build; zeros for what is no version of Windows."""
    found = re.match(r"(\d{1,9})\.(\d{1,9})\.(\d{1,9})(?:\.|\Z)", version, re.ASCII)
    major, minor, build = (int(part) for part in found.groups()) if found else (0, 0, 0)
    return (major, minor, build) if max(major, minor) < 256 and build < 65536 else (0, 0, 0)


def _escaped(text: str) -> str:
    return re.sub(r"[%+()/]", lambda found: f"%{ord(found[0]):02X}", text)


def _unescaped(text: str) -> str:
    """Return what ``text`` spells with %XX. Raises ValueError."""
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        raise ValueError(text)
    raw = re.sub(rb"%([0-9A-Fa-f]{2})", lambda m: bytes([int(m[1], 16)]), text.encode())
    return raw.decode(errors="replace")
