"""The cells of the matrix, with what is promised of each."""

from tests.matrix.pods import PODS, pod_cells
from tests.matrix.table import Builds, Environment, Exceptions, Fails, MayDiffer, Refuses

ENVIRONMENTS = (
    Environment(name="root", title="root", who="root"),
    Environment(name="user", title="a user with subordinate ids", who="user", fuse=True),
    Environment(name="one-id", title="a user with one id", who="one-id", fuse=True),
    Environment(
        name="no-new-privileges",
        title="a user under no_new_privs",
        who="no-new-privileges",
        fuse=True,
    ),
    Environment(name="docker-root", title="root in a default `docker run`", who="docker-root"),
    Environment(name="docker-user", title="a user in a default `docker run`", who="docker-user"),
    Environment(name="no-fuse", title="root, no /dev/fuse", who="root", fuse=False),
    Environment(name="root-ext4", title="root, state on ext4", who="root", file_system="ext4"),
    Environment(
        name="user-ext4", title="a user, state on ext4", who="user", file_system="ext4", fuse=True
    ),
    Environment(
        name="one-id-ext4", title="one id, state on ext4", who="one-id", file_system="ext4"
    ),
    Environment(
        name="root-overlay", title="root, state on an overlay", who="root", file_system="overlay"
    ),
    Environment(
        name="user-overlay", title="a user, state on an overlay", who="user", file_system="overlay"
    ),
    Environment(
        name="one-id-overlay",
        title="one id, state on an overlay",
        who="one-id",
        file_system="overlay",
    ),
    *PODS,
)

_DEVICES_REFUSED = Fails(
    "mknod: /c: Operation not permitted",
    "an ordinary user's namespace makes no devices; with one id they are emulated",
)
_NO_DEVICES: Exceptions = {"devices": _DEVICES_REFUSED}
_FUSE: Exceptions = {
    case: MayDiffer(
        "fuse-overlayfs 1.10 forgets set-group-ID of directories that it copies, makes regular"
        " files of special ones, shows deleted files of lower layers again after a rename, and"
        " hides that a directory was written in"
    )
    for case in (
        *("debian:packages", "debian:accounts", "debian:attributes", "deletions", "hardlinks"),
        *("kinds", "linkcounts", "times", "devices"),
    )
}
_CHROOT_OF_THE_MACHINE: Exceptions = {
    "devices": Fails(
        "mknod: /c: Operation not permitted",
        "root of a whole machine would make its disks; in a container root may",
    ),
}
_PROOT: Exceptions = dict.fromkeys(
    ("copies", "kinds"),
    Fails(
        "a directory has a mode that keeps its owner out, and only root may pass that by",
        "without a namespace, directories that exclude their owner cannot be kept",
    ),
)

_MOUNTS_NOTHING = "mounts nothing, and {} has to be (use --backend naive)"
_NO_NAMESPACES = "this system refuses namespaces: Operation not permitted (in a container, start"
_FOR_ROOT = "the executor chroot is not possible: this user is not root (leave --executor to img)"
_FOR_MANY_IDS = (
    "the executor chroot is not possible: this user namespace has one id, and a changed root needs"
    " more (leave --executor to img)"
)
_NO_RECORDS = (
    "fuse-overlayfs loses owners that are on record, as they are where there is one id"
    " (use --backend auto)"
)
_NO_IDS = "emulates no ids, and there is one: user 64996 has no ids of its own to build with"
_NO_PRIVILEGES = "emulates no ids, and there is one: the user namespace got no ids:"
_NO_OVERLAY_ON_OVERLAY = "cannot hold an overlay's layers: Operation not permitted"
_UNSHARE = "executor unshare, snapshots {}"
_EMULATED = "executor unshare with one id, the others emulated (full), snapshots {}"


def _builds(
    environment: str,
    executor: str,
    snapshotter: str,
    exceptions: Exceptions | None = None,
    announced: str = "",
) -> Builds:
    return Builds(
        environment=environment,
        executor=executor,
        snapshotter=snapshotter,
        announced=announced or f"executor {executor}, snapshots {snapshotter}",
        exceptions=exceptions or {},
    )


def _refuses(environment: str, executor: str, snapshotter: str, error: str) -> Refuses:
    return Refuses(environment=environment, executor=executor, snapshotter=snapshotter, error=error)


_ROOT = (
    _builds("root", "auto", "auto", announced=_UNSHARE.format("overlay")),
    _builds("root", "unshare", "naive"),
    _builds("root", "unshare", "fuse", _FUSE),
    _builds("root", "runc", "overlay"),
    _builds("root", "crun", "naive", _NO_DEVICES),
    _builds("root", "chroot", "naive", _CHROOT_OF_THE_MACHINE),
    _refuses("root", "chroot", "overlay", f"chroot {_MOUNTS_NOTHING.format('overlay')}"),
    _refuses("root", "chroot", "fuse", f"chroot {_MOUNTS_NOTHING.format('fuse')}"),
    _builds("root", "proot", "naive", _PROOT),
    _refuses("no-fuse", "unshare", "fuse", "(it needs /dev/fuse; use another backend where"),
)
_USER = (
    _builds("user", "auto", "auto", _NO_DEVICES, _UNSHARE.format("overlay")),
    _builds("user", "unshare", "naive", _NO_DEVICES),
    _builds("user", "unshare", "fuse", _FUSE),
    _builds("user", "runc", "naive", _NO_DEVICES),
    _builds("user", "crun", "overlay", _NO_DEVICES),
    _builds("user", "chroot", "naive", _NO_DEVICES),
)
_ONE_ID = (
    _builds("one-id", "auto", "auto", announced=_EMULATED.format("overlay")),
    _builds("one-id", "unshare", "naive", announced=_EMULATED.format("naive")),
    _refuses("one-id", "unshare", "fuse", _NO_RECORDS),
    _refuses("one-id", "runc", "naive", f"runc {_NO_IDS}"),
    _refuses("one-id", "crun", "overlay", f"crun {_NO_IDS}"),
    _refuses("one-id", "chroot", "naive", _FOR_MANY_IDS),
    _builds("no-new-privileges", "auto", "auto", announced=_EMULATED.format("overlay")),
    _builds("no-new-privileges", "unshare", "naive", announced=_EMULATED.format("naive")),
    _refuses("no-new-privileges", "unshare", "fuse", _NO_RECORDS),
    _refuses("no-new-privileges", "crun", "naive", f"crun {_NO_PRIVILEGES}"),
)
_DOCKER = (
    _builds("docker-root", "auto", "auto", announced="executor chroot, snapshots naive"),
    _refuses("docker-root", "unshare", "naive", _NO_NAMESPACES),
    _refuses("docker-root", "runc", "naive", _NO_NAMESPACES),
    _refuses("docker-root", "crun", "naive", _NO_NAMESPACES),
    _builds("docker-root", "proot", "naive", _PROOT),
    _refuses("docker-root", "auto", "overlay", f"chroot {_MOUNTS_NOTHING.format('overlay')}"),
    _refuses("docker-root", "auto", "fuse", f"chroot {_MOUNTS_NOTHING.format('fuse')}"),
    _builds("docker-user", "auto", "auto", _PROOT, announced="executor proot, snapshots naive"),
    _refuses("docker-user", "unshare", "naive", _NO_NAMESPACES),
    _refuses("docker-user", "runc", "naive", _NO_NAMESPACES),
    _refuses("docker-user", "chroot", "naive", _FOR_ROOT),
    _refuses("docker-user", "auto", "overlay", f"proot {_MOUNTS_NOTHING.format('overlay')}"),
    _refuses("docker-user", "auto", "fuse", f"proot {_MOUNTS_NOTHING.format('fuse')}"),
)
_FILE_SYSTEMS = (
    _builds("root-ext4", "auto", "auto", announced=_UNSHARE.format("overlay")),
    _builds("root-ext4", "unshare", "naive"),
    _builds("root-ext4", "unshare", "fuse", _FUSE),
    _builds("user-ext4", "auto", "auto", _NO_DEVICES, _UNSHARE.format("overlay")),
    _builds("one-id-ext4", "auto", "auto", announced=_EMULATED.format("overlay")),
    _builds("one-id-ext4", "unshare", "naive", announced=_EMULATED.format("naive")),
    _builds("root-overlay", "auto", "auto", announced=_UNSHARE.format("naive")),
    _refuses("root-overlay", "unshare", "overlay", _NO_OVERLAY_ON_OVERLAY),
    _refuses("root-overlay", "unshare", "fuse", _NO_OVERLAY_ON_OVERLAY),
    _builds("user-overlay", "auto", "auto", _NO_DEVICES, _UNSHARE.format("naive")),
    _refuses("user-overlay", "unshare", "overlay", _NO_OVERLAY_ON_OVERLAY),
    _builds("one-id-overlay", "auto", "auto", announced=_EMULATED.format("naive")),
)
CELLS: tuple[Builds | Refuses, ...] = (
    *(*_ROOT, *_USER, *_ONE_ID, *_DOCKER, *_FILE_SYSTEMS),
    *pod_cells(_PROOT, _NO_DEVICES),
)
