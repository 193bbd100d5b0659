"""The pods of Kubernetes, as containers with the same security settings.

The runtime's default seccomp profile is Docker's; `hostUsers: false` is a daemon that remaps users.
"""

from tests.matrix.table import Builds, Environment, Exceptions, Refuses

_WITHOUT_PRIVILEGES = ("--cap-drop=ALL", "--security-opt=no-new-privileges")
RESTRICTED = ("--user=1000:1000", *_WITHOUT_PRIVILEGES)
_UNCONFINED = ("--security-opt=seccomp=unconfined",)
# Docker's --tmpfs is nosuid, nodev and noexec if it does not say otherwise.
_IN_MEMORY = "--tmpfs=/state:exec,size=2g"


def _pod(
    name: str, title: str, *options: str, state: str = "/tmp/state", remapped: bool = False
) -> Environment:
    return Environment(
        name=f"pod-{name}",
        title=f"pod: {title}",
        who="docker-root",
        options=options,
        state=state,
        remapped=remapped,
    )


PODS = (
    _pod("restricted", "restricted, `runAsUser: 1000`", *RESTRICTED),
    _pod(
        "random-user",
        "restricted, a user without a name in group 0, `readOnlyRootFilesystem: true`,"
        " an `emptyDir` at `/tmp`",
        *("--user=1000680000:0", "--read-only", "--tmpfs=/tmp:exec,size=2g,mode=1777"),
        *_WITHOUT_PRIVILEGES,
    ),
    _pod(
        "noexec",
        "restricted, `runAsUser: 1000`, `/tmp` mounted noexec",
        *("--read-only", "--tmpfs=/tmp:mode=1777", "--tmpfs=/state:exec,mode=1777,size=2g"),
        *RESTRICTED,
        state="/state/img",
    ),
    _pod("noexec-state", "baseline, root, the state mounted noexec", "--tmpfs=/tmp:mode=1777"),
    _pod(
        "memory",
        "baseline, root, the state in an `emptyDir` of `medium: Memory` that is `nodev`",
        _IN_MEMORY,
        state="/state/img",
    ),
    _pod("no-capabilities", "`runAsUser: 0`, `capabilities: {drop: [ALL]}`", "--cap-drop=ALL"),
    _pod(
        "admin",
        "root, `capabilities: {add: [SYS_ADMIN]}`",
        *("--cap-add=SYS_ADMIN", "--security-opt=apparmor=unconfined"),
        "--tmpfs=/state:exec,size=2g",
        state="/state/img",
    ),
    _pod(
        "unconfined",
        "`runAsUser: 1000`, `capabilities: {drop: [ALL]}`, `seccompProfile: {type: Unconfined}`",
        *(*RESTRICTED, *_UNCONFINED, "--tmpfs=/state:exec,mode=1777,size=2g"),
        state="/state/img",
    ),
    _pod("userns", "`hostUsers: false`, baseline, root", remapped=True),
    _pod(
        "userns-restricted",
        "`hostUsers: false`, restricted, root",
        *_WITHOUT_PRIVILEGES,
        remapped=True,
    ),
    _pod(
        "userns-user",
        "`hostUsers: false`, restricted, `runAsUser: 1000`",
        *RESTRICTED,
        remapped=True,
    ),
    _pod(
        "userns-unconfined",
        "`hostUsers: false`, root, `seccompProfile: {type: Unconfined}`",
        *(*_UNCONFINED, "--tmpfs=/state:exec,size=2g"),
        state="/state/img",
        remapped=True,
    ),
)


def pod_cells(proot: Exceptions, no_devices: Exceptions) -> tuple[Builds | Refuses, ...]:
    """Return the cells of pods; the arguments are the exceptions of two executors."""

    def builds(name: str, announced: str, exceptions: Exceptions | None = None) -> Builds:
        return Builds(
            environment=f"pod-{name}",
            executor="auto",
            snapshotter="auto",
            announced=announced,
            exceptions=exceptions or {},
        )

    def refuses(name: str, error: str) -> Refuses:
        return Refuses(environment=f"pod-{name}", executor="auto", snapshotter="auto", error=error)

    under_proot = "executor proot, snapshots naive"
    one_id = "executor unshare with one id, the others emulated (full), snapshots overlay"
    return (
        builds("restricted", under_proot, proot),
        builds("random-user", under_proot, proot),
        builds("noexec", under_proot, proot),
        refuses(
            "noexec-state",
            "it is on a file system that is mounted noexec (choose a state directory elsewhere",
        ),
        builds("memory", "executor chroot, snapshots naive"),
        builds("no-capabilities", under_proot, proot),
        builds("admin", "executor unshare, snapshots overlay"),
        builds("unconfined", one_id),
        builds("userns", "executor chroot, snapshots naive", no_devices),
        builds("userns-restricted", under_proot, proot),
        builds("userns-user", under_proot, proot),
        builds("userns-unconfined", one_id),
    )
