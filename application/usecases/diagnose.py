"""Diagnosis of the features of this machine."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from img.application.ports.host_survey import Finding, HostSurvey
from img.domain.dataclass import dataclass

GIVES = {
    "privileges": "what else there is",
    "namespaces": "RUN as on a build server: executors unshare, runc, crun",
    "id ranges": "owners of files as they are; without, they are emulated, which costs time",
    "newuidmap": "id ranges, for users",
    "no_new_privs": "newuidmap, and sudo in steps",
    "AppArmor": "namespaces, for users",
    "overlay": "steps that copy nothing: backend overlayfs; without, backend naive",
    "proc": "a /proc of its own for each step; without, the outer one is shown",
    "network namespace": "RUN --network=none",
    "seccomp notification": "owners where there is one id alone; /proc under executor chroot",
    "chroot": "RUN for root in a container that allows no namespaces",
    "ptrace": "RUN without namespaces and capabilities, with proot",
    "fuse": "backend fuse",
    "state": "where images and layers are",
    "xattrs": "owners on record that survive renames",
    "reflinks": "backend naive: copies that take little time and no space",
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
    """The finding for one feature, and its purpose."""

    name: str
    finding: Finding
    gives: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """All findings, and the choices of "auto": the executor is "" if RUN is not possible."""

    checked: tuple[Checked, ...]
    executor: str
    snapshotter: str
    emulation: str  # of root, where there is one id: "full"; "" where ids are real
    reasons: tuple[str, ...]  # why nothing faster was chosen


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnose:
    """``img doctor``."""

    survey: HostSurvey

    def __call__(self, state: Path) -> Diagnosis:
        """Return the diagnosis for the state directory ``state``."""
        found = self.survey.look(state)
        executor = _executor(found)
        snapshotter = _snapshotter(found, executor)
        emulates = executor == "unshare" and not _works(found, "id ranges")
        return Diagnosis(
            checked=tuple(
                Checked(name=name, finding=finding, gives=GIVES.get(name, ""))
                for name, finding in found.items()
            ),
            executor=executor,
            snapshotter=snapshotter,
            emulation="full" if emulates else "",
            reasons=tuple(_reasons(found, executor, snapshotter)),
        )


def _executor(found: Mapping[str, Finding]) -> str:
    if _works(found, "namespaces"):
        return "unshare"
    if "state" in found and not _works(found, "state"):
        return ""
    if _works(found, "chroot"):
        return "chroot"
    if _works(found, "ptrace") and _works(found, "proot"):
        return "proot"
    return ""


def _snapshotter(found: Mapping[str, Finding], executor: str) -> str:
    return "overlay" if executor == "unshare" and _works(found, "overlay") else "naive"


def _reasons(found: Mapping[str, Finding], executor: str, snapshotter: str) -> Iterator[str]:
    missing = ["namespaces"] if executor != "unshare" else ["id ranges"]
    missing += ["overlay"] if executor == "unshare" and snapshotter == "naive" else []
    for name in missing:
        if name in found and not found[name].works:
            yield f"{name}: {found[name].detail}"


def _works(found: Mapping[str, Finding], name: str) -> bool:
    return name in found and found[name].works
