"""Platforms of images, and their compatibility."""

import re
from dataclasses import replace

from img.domain.dataclass import dataclass
from img.domain.errors import ImgError

# Values of GOOS and GOARCH (containerd platforms, database.go).
_KNOWN_OS = {"aix", "android", "darwin", "dragonfly", "freebsd", "hurd", "illumos",
             "ios", "js", "linux", "nacl", "netbsd", "openbsd", "plan9", "solaris",
             "windows", "zos"}  # fmt: skip
_KNOWN_ARCHITECTURES = {"386", "amd64", "amd64p32", "arm", "armbe", "arm64", "arm64be",
                        "loong64", "mips", "mipsle", "mips64", "mips64le", "mips64p32",
                        "mips64p32le", "ppc", "ppc64", "ppc64le", "riscv", "riscv64",
                        "s390", "s390x", "sparc", "sparc64", "wasm"}  # fmt: skip
# Machine names of uname(2) that Docker's normalisation does not know.
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
_MOST_FEATURES = 10**6  # of one platform; a limit for JSON documents
# The first build of each long-term release of Windows Server since 2022.
_LTSC = (20348, 26100)


class InvalidPlatform(ImgError):
    """A text that is not a platform."""

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
        """The name with version and sorted features: windows(10.0.17763+win32k)/amd64."""
        features = sorted(set(self.os_features) - {""})
        details = "".join([_escaped(self.os_version), *(f"+{_escaped(f)}" for f in features)])
        os = f"{self.os}({details})" if details else self.os
        return "/".join(part for part in (os, self.architecture, self.variant) if part)

    @classmethod
    def parse(cls, text: str, host: "Platform") -> "Platform":
        """Return the normalized platform of ``os``, ``arch`` or ``os/arch[/variant]``.

        Missing parts are those of ``host`` (containerd platforms, "Parse").
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
        """Return the Linux platform for the machine name of uname(2)."""
        return cls("linux", _MACHINES.get(machine, machine)).normalized()

    def normalized(self) -> "Platform":
        """Return the platform with standard names (containerd platforms, "Normalize").

        A missing operating system is Linux, the only one that img runs on.
        """
        os = self.os.lower() or "linux"
        architecture, variant = _processor(self.architecture.lower(), self.variant.lower())
        return replace(
            self,
            os="darwin" if os == "macos" else os,
            architecture=architecture,
            variant=variant,
        )


@dataclass(frozen=True, slots=True)
class DefaultPlatform:
    """The platform of this machine, for a user who named none: an image for another one will do."""

    platform: Platform


WantedPlatform = Platform | DefaultPlatform


def parse_platforms(text: str, host: Platform) -> tuple[Platform, ...]:
    """Return the platforms of a comma-separated list, such as --platform, each once.

    ``local`` means that of ``host``. Raises InvalidPlatform.
    """
    found = (
        host if part.lower() == "local" else Platform.parse(part, host).normalized()
        for part in text.split(",")
    )
    return tuple(dict.fromkeys(found))


def preference(wanted: Platform, offered: Platform) -> int | None:
    """Return a rank for ``offered``: the lowest suits ``wanted`` best, None does not suit.

    A processor also runs programs for older ones. An image that needs features of the operating
    system suits platforms with all of them, and the image that uses most of them is best. The
    source is containerd platforms, "Only".
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
        if "win32k" in needs:  # ranks are equal
            needs.remove("win32k")
    if not set(needs) <= set(wanted.os_features):
        return None
    return runs.index(processor) * _MOST_FEATURES - len(offered.os_features)


def _processor(architecture: str, variant: str) -> tuple[str, str]:
    """Return the standard architecture and variant; "" is the default of amd64 and arm64."""
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
    """Return the compatible processors, best first, beginning with this one."""
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
    """Return v8.N or v9.N and the variants below it; Armv9.N includes Armv8.(N+5).

    Containerd knows the variants up to v8.9 and v9.7; others suit none, not even themselves.
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
    """Return whether Windows of the version ``host`` runs images of ``version``.

    A server of 2022 or later runs images of its own release and of the last long-term release
    before it (containerd platforms, platform_windows_compat.go).
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
    """Return the major, minor and build number; zeros for an invalid version."""
    found = re.match(r"(\d{1,9})\.(\d{1,9})\.(\d{1,9})(?:\.|\Z)", version, re.ASCII)
    major, minor, build = (int(part) for part in found.groups()) if found else (0, 0, 0)
    return (major, minor, build) if max(major, minor) < 256 and build < 65536 else (0, 0, 0)


def _escaped(text: str) -> str:
    return re.sub(r"[%+()/]", lambda found: f"%{ord(found[0]):02X}", text)


def _unescaped(text: str) -> str:
    """Return ``text`` with %XX decoded. Raises ValueError."""
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        raise ValueError(text)
    raw = re.sub(rb"%([0-9A-Fa-f]{2})", lambda m: bytes([int(m[1], 16)]), text.encode())
    return raw.decode(errors="replace")
