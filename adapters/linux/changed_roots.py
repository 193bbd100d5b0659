"""The conditions under which root may run steps in changed roots, without namespaces."""

import os

from img.adapters.linux import capabilities, container, userns
from img.domain.errors import HostError

_NEEDED = capabilities.OF_OWNERS | capabilities.mask_of("sys_chroot")
_MKNOD = capabilities.mask_of("mknod")


class RootsNotChangeable(HostError):
    """This process may not run steps in changed roots."""


def require_changeable_roots() -> None:
    """Raise RootsNotChangeable unless this process may run steps in changed roots.

    In a user namespace no device can be made, and the capability for it is not needed: the devices
    of the container belong to an id that a step does not have.
    """
    if os.geteuid() != 0:
        raise RootsNotChangeable("this user is not root", hint=_hint())
    if userns.has_one_id():
        raise RootsNotChangeable(
            "this user namespace has one id, and a changed root needs more",
            hint="start img in a user namespace with a range of ids",
        )
    needed = _NEEDED | (_MKNOD if userns.is_initial() else 0)
    if missing := needed & ~capabilities.effective():
        names = ", ".join(name.upper() for name in capabilities.names_in(missing))
        raise RootsNotChangeable(
            f"this process lacks the capabilities {names}",
            hint=_hint(),
        )


def _hint() -> str:
    return container.remedy(
        "set securityContext.runAsUser: 0, without capabilities.drop",
        "start it as root, without --cap-drop",
    )
