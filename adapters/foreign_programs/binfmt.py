"""binfmt_misc: interpreters that the kernel starts for foreign programs (Linux binfmt-misc.rst)."""

from collections.abc import Iterable
from pathlib import Path

from img.application.ports.foreign_programs import ForeignPrograms
from img.domain.platform import Platform, preference

_REGISTERED = Path("/proc/sys/fs/binfmt_misc")

# The names of QEMU's binfmt entries, by the image-spec's names of processors.
_INTERPRETERS = {
    "386": "i386",
    "amd64": "x86_64",
    "arm": "arm",
    "arm64": "aarch64",
    "loong64": "loongarch64",
    "mips64le": "mips64el",
    "ppc64le": "ppc64le",
    "riscv64": "riscv64",
    "s390x": "s390x",
}


class BinfmtPrograms(ForeignPrograms):
    """The host's own programs, and those with an interpreter that the kernel keeps open.

    An interpreter without the flag F would be looked up inside the image, where it does not exist.
    """

    def __init__(self, host: Platform, registered: Path = _REGISTERED) -> None:
        self._host = host
        self._registered = registered

    def run(self, platform: Platform) -> bool:
        if platform.os != self._host.os:
            return False
        if preference(self._host, platform) is not None or self._is_32_bit(platform):
            return True
        name = _INTERPRETERS.get(platform.architecture)
        return name is not None and any(self._is_fixed(e) for e in self._entries(name))

    def _is_32_bit(self, platform: Platform) -> bool:
        return (self._host.architecture, platform.architecture) == ("amd64", "386")

    def _entries(self, name: str) -> Iterable[str]:
        for path in self._paths(name):
            try:
                yield path.read_text(errors="replace")
            except OSError:
                continue

    def _paths(self, name: str) -> list[Path]:
        return [self._registered / f"qemu-{name}", self._registered / name]

    def _is_fixed(self, entry: str) -> bool:
        lines = entry.splitlines()
        flags = next((line for line in lines if line.startswith("flags:")), "")
        return "enabled" in lines and "F" in flags.partition(":")[2]
