"""What builds can and cannot do on this machine, and why."""

from collections.abc import Mapping
from pathlib import Path

from img.application.ports.host_survey import Finding, HostSurvey
from img.domain.dataclass import dataclass

GIVES = {
    "namespaces": "RUN as on a build server: executors unshare, runc, crun",
    "id ranges": "owners of files as they are; without, they are emulated, which costs time",
    "overlay": "steps that copy nothing: backend overlayfs; without, backend naive",
    "proc": "a /proc of its own for each step; without, the outer one is shown",
    "network namespace": "RUN --network=none",
    "seccomp notification": "owners and users where there is one id alone",
    "chroot": "RUN for root in a container that allows no namespaces",
    "ptrace": "RUN for users who may make no namespaces, with proot",
    "fuse": "backend fuse",
    "state": "where images and layers are",
    "xattrs": "owners on record that survive renames",
    "reflinks": "copies that take no time and no space",
    "cgroup": "limits of memory and processors",
    "tun": "a network of its own, with slirp4netns",
    "foreign programs": "RUN for other processors",
    "runc": "executor runc",
    "crun": "executor crun",
    "proot": "executor proot",
    "fuse-overlayfs": "backend fuse",
    "slirp4netns": "a network of its own",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One thing that was tried, and what it is good for."""

    name: str
    finding: Finding
    gives: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """All that was tried, and what "auto" comes to: "" where RUN is not possible."""

    checked: tuple[Checked, ...]
    executor: str
    snapshotter: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnose:
    """Surveys the machine."""

    survey: HostSurvey

    def __call__(self, state: Path) -> Diagnosis:
        """Return what was found for the state directory ``state``."""
        found = self.survey.look(state)
        executor = _executor(found)
        return Diagnosis(
            checked=tuple(
                Checked(name=name, finding=finding, gives=GIVES.get(name, ""))
                for name, finding in found.items()
            ),
            executor=executor,
            snapshotter=_snapshotter(found, executor),
        )


def _executor(found: Mapping[str, Finding]) -> str:
    if _works(found, "namespaces"):
        return "unshare"
    if _works(found, "chroot"):
        return "chroot"
    if _works(found, "ptrace") and _works(found, "proot"):
        return "proot"
    return ""


def _snapshotter(found: Mapping[str, Finding], executor: str) -> str:
    return "overlay" if executor == "unshare" and _works(found, "overlay") else "naive"


def _works(found: Mapping[str, Finding], name: str) -> bool:
    return name in found and found[name].works
