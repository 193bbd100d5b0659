"""File handles: identifiers of files for their whole lifetime (open_by_handle_at(2))."""

import os

from img.adapters.linux import capabilities, syscalls

_FIRST_USER_NAMESPACE = 0xEFFF_FFFD  # PROC_USER_INIT_INO, include/linux/proc_ns.h


def file_handle(path: str) -> bytes:
    """Return the handle of a file, without following a link: a type byte, then the handle."""
    kind, handle = syscalls.name_to_handle_at(path)
    return bytes([kind & 0xFF]) + handle


def may_open_handles(directory: str) -> bool:
    """Tell whether this process may open files of that file system by their handles.

    That takes CAP_DAC_READ_SEARCH in the initial user namespace and a file system with handles.
    """
    try:
        if os.stat("/proc/self/ns/user").st_ino != _FIRST_USER_NAMESPACE:
            return False
        if not capabilities.effective() & capabilities.mask_of("dac_read_search"):
            return False
        place = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.close(syscalls.open_by_handle_at(place, *syscalls.name_to_handle_at(directory)))
        finally:
            os.close(place)
    except OSError:
        return False
    return True
