"""The root of a step and the mounts that the step asks for."""

import errno
import os
import stat
from collections.abc import Sequence
from contextlib import suppress

from img.adapters.executor.mount_points import MountPoints
from img.adapters.linux import small_files, syscalls
from img.adapters.linux.syscalls import (
    MOUNT_ATTR_NODEV,
    MOUNT_ATTR_NOSUID,
    MOUNT_ATTR_RDONLY,
    MS_NODEV,
    MS_NOSUID,
)
from img.adapters.storage.ownership import REAL, Ownership
from img.application.ports.executor import ProcessNotStarted
from img.domain.process import (
    BindMount,
    DirectoryRoot,
    FileMount,
    Network,
    OverlayRoot,
    Process,
    ProcessMount,
    Root,
    TmpfsMount,
    TreeMount,
    Volume,
)

_OWN_SERVER = b"10.0.2.3"  # slirp4netns(1): it forwards to the host's resolver


class Scratch:
    """Files in memory that are mounted one by one; the file system itself is never visible."""

    def __init__(self, under: str, ownership: Ownership) -> None:
        """Mount a file system over the directory ``under``, where the next mount covers it."""
        syscalls.mount("tmpfs", under, "tmpfs", MS_NOSUID | MS_NODEV, "mode=700")
        self._directory = os.open(under, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._count = 0
        self._ownership = ownership

    def file(self, content: bytes, mode: int = 0o644, uid: int = 0, gid: int = 0) -> int:
        """Return a detached mount of a new file."""
        name = str(self._count)
        self._count += 1
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        file = os.open(name, flags, 0o600, dir_fd=self._directory)
        try:
            small_files.write(file, content)
            self._ownership.give(file, uid, gid)
            os.fchmod(file, mode)
        finally:
            os.close(file)
        return syscalls.open_tree(name, directory=self._directory)


def attach_root(root: Root, ownership: Ownership = REAL, *, devices: bool = False) -> Scratch:
    """Mount ``root`` at its place and make it the working directory.

    Without ``devices`` no device opens in it: root may create any device, and without a device
    control group it would have the host's disks.
    """
    match root:
        case DirectoryRoot():
            tree = _copy_of(root.path, _attributes_of_root(devices=devices))
            scratch = Scratch(root.path, ownership)
            _attach(tree, os.open(root.path, os.O_PATH | os.O_CLOEXEC))
            os.chdir(root.path)
        case OverlayRoot():
            scratch = Scratch(root.target, ownership)
            _mount_overlay(root, root.target, devices=devices)
            os.chdir(root.target)
    return scratch


class named:  # noqa: N801 (a context manager)
    """Raises ProcessNotStarted that names ``target`` for errors inside."""

    __slots__ = ("_target",)

    def __init__(self, target: str) -> None:
        self._target = target

    def __enter__(self) -> None:
        return

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, OSError):
            raise ProcessNotStarted(f"cannot mount {self._target}: {error.strerror}") from error


def mount_name_files(points: MountPoints, scratch: Scratch, process: Process) -> None:
    """Mount /etc/resolv.conf and /etc/hosts. Raises ProcessNotStarted."""
    for target, text in (
        ("etc/resolv.conf", resolver_file(process)),
        ("etc/hosts", hosts_file(process, process.hosts)),
    ):
        with named(target):
            _attach(scratch.file(text), points.open(target, directory=False))


def resolver_file(process: Process) -> bytes:
    """Return the content of a step's /etc/resolv.conf."""
    own_server = _OWN_SERVER if process.network is Network.PRIVATE else b""
    return process.resolver.content(host_file("/etc/resolv.conf"), own_server)


def hosts_file(process: Process, names: Sequence[tuple[str, str]]) -> bytes:
    """Return the content of a step's /etc/hosts, with the host's names if it has its network."""
    hosts = [
        f"127.0.0.1\tlocalhost {process.hostname}",
        "::1\tlocalhost ip6-localhost ip6-loopback",
    ]
    hosts += [f"{address}\t{name}" for name, address in names]
    content = "".join(f"{line}\n" for line in hosts).encode("utf-8", "surrogateescape")
    return content + (host_file("/etc/hosts") if process.network is Network.HOST else b"")


def host_file(path: str) -> bytes:
    """Return the content of a file of the host, empty if there is none."""
    try:
        return small_files.read_all(path)
    except OSError:
        return b""


def mount_extra(points: MountPoints, scratch: Scratch, mounts: Sequence[ProcessMount]) -> None:
    """Mount what the step asks for, in this order. Raises ProcessNotStarted."""
    for mount in mounts:
        with named(mount.target):
            _mount_one(points, scratch, mount)


def attach_root_below(root: Root, *, devices: bool = False) -> tuple[Scratch, str]:
    """Mount ``root`` as the directory "rootfs" of a scratch, for a container runtime.

    Return the scratch, which covers the root's own place, and the path of the mounted root.
    """
    match root:
        case DirectoryRoot():
            tree = _copy_of(root.path, _attributes_of_root(devices=devices))
            scratch = Scratch(root.path, REAL)
            rootfs = f"{root.path}/rootfs"
            os.mkdir(rootfs)
            _attach(tree, os.open(rootfs, os.O_PATH | os.O_CLOEXEC))
        case OverlayRoot():
            scratch = Scratch(root.target, REAL)
            rootfs = f"{root.target}/rootfs"
            os.mkdir(rootfs)
            _mount_overlay(root, rootfs, devices=devices)
    os.chdir(rootfs)
    return scratch, os.getcwd()  # without links, which runc refuses


def pivot_into_working_directory() -> None:
    """Make the working directory the root; the old root is gone with all its mounts.

    Where pivot_root(2) fails, by the profiles of Docker and containerd or on an initramfs, the
    mount covers the old root: ".." of this root leads to the mount itself, and a step can unmount
    nothing.
    """
    try:
        syscalls.pivot_root(".", ".")
    except OSError:
        _cover_root()
        return
    syscalls.umount2(".", syscalls.MNT_DETACH)
    os.chdir("/")


def _cover_root() -> None:
    # A /proc that stays, even out of sight, would let a step with user namespaces mount another one
    # without hidden parts (mount_namespaces(7)). One that is covered itself would not.
    for name in ("/proc", "/sys"):
        try:
            syscalls.umount2(name, syscalls.MNT_DETACH)
        except OSError:  # a mount of a more privileged user namespace, or none
            with suppress(FileNotFoundError):
                syscalls.mount("none", name, "tmpfs", syscalls.MS_RDONLY)
    root = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    syscalls.mount(".", "/", flags=syscalls.MS_MOVE)
    os.fchdir(root)
    os.chroot(".")
    os.chdir("/")
    os.close(root)


def _mount_overlay(root: OverlayRoot, target: str, *, devices: bool = False) -> None:
    # Layers are given as descriptors: 500 fit in the page that mount(2) takes, and no character of
    # a path has to be escaped. "userxattr" is required in a user namespace, and keeps the names of
    # attributes the same elsewhere; "volatile" saves an fsync for every copy-up.
    lowers = ":".join(str(_descriptor(path)) for path in root.lowers)
    upper, work = _descriptor(root.upper), _descriptor(root.work)
    options = f"userxattr,volatile,lowerdir={lowers},upperdir={upper},workdir={work}"
    options += ",index=on" if root.index else ",index=off"
    here = _descriptor(".")
    os.chdir("/proc/self/fd")
    flags = 0 if devices else MS_NODEV
    syscalls.mount("overlay", target, "overlay", flags, options)
    os.fchdir(here)
    os.close(here)


def _mount_one(points: MountPoints, scratch: Scratch, mount: ProcessMount) -> None:
    match mount:
        case BindMount():
            directory = stat.S_ISDIR(os.stat(mount.source).st_mode)
            attributes = MOUNT_ATTR_NODEV | (MOUNT_ATTR_RDONLY if mount.read_only else 0)
            tree = _copy_of(mount.source, attributes)
            _attach(tree, points.open(mount.target, directory=directory))
        case Volume():
            source = open_volume(mount)
            tree = syscalls.open_tree(_on(source))
            directory = stat.S_ISDIR(os.fstat(source).st_mode)
            os.close(source)
            attributes = MOUNT_ATTR_RDONLY if mount.read_only else 0
            _protect(tree, attributes | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID)
            _attach(tree, points.open(mount.target, directory=directory))
        case TmpfsMount():
            options = f"mode={mount.mode:o}" + (f",size={mount.size}" if mount.size else "")
            target = points.open(mount.target, directory=True)
            syscalls.mount("tmpfs", _on(target), "tmpfs", MS_NOSUID | MS_NODEV, options)
        case TreeMount():
            tree = _copy_below(mount.root, mount.source)
            _protect(tree, MOUNT_ATTR_NODEV | (MOUNT_ATTR_RDONLY if mount.read_only else 0))
            directory = stat.S_ISDIR(os.fstat(tree).st_mode)
            _attach(tree, points.open(mount.target, directory=directory))
        case FileMount():
            file = scratch.file(mount.content, mount.mode, mount.uid, mount.gid)
            _protect(file, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)
            _attach(file, points.open(mount.target, directory=False))


def open_volume(mount: Volume) -> int:
    """Return an O_PATH descriptor of the source of a volume. Raises ProcessNotStarted, OSError.

    A step may have replaced a part of the path if it lies in another volume.
    """
    top = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        source = syscalls.openat2(
            top, mount.source, os.O_PATH, resolve=syscalls.RESOLVE_NO_SYMLINKS
        )
    except OSError as error:
        raise _replaced(mount) from error
    finally:
        os.close(top)
    found = os.fstat(source)
    if (found.st_dev, found.st_ino) != (mount.device, mount.inode):
        os.close(source)
        raise _replaced(mount)
    return source


def _replaced(mount: Volume) -> ProcessNotStarted:
    return ProcessNotStarted(f"the volume {mount.source} was replaced during the build")


def _copy_below(root: Root, source: str) -> int:
    """Return a detached mount of ``source`` in another root."""
    match root:
        case DirectoryRoot():
            top = root.path
        case OverlayRoot():
            _mount_overlay(root, root.target)
            top = root.target
    directory = _descriptor(top)
    found = syscalls.openat2(directory, source, os.O_PATH)
    try:
        return syscalls.open_tree(_on(found))
    finally:
        os.close(found)
        os.close(directory)


def _attributes_of_root(*, devices: bool) -> int:
    return 0 if devices else MOUNT_ATTR_NODEV


def _copy_of(path: str, attributes: int) -> int:
    tree = syscalls.open_tree(path)
    if attributes:
        _protect(tree, attributes)
    return tree


def _protect(tree: int, attributes: int) -> None:
    syscalls.mount_setattr(tree, attributes)


def _attach(tree: int, target: int) -> None:
    is_directory = stat.S_ISDIR(os.fstat(tree).st_mode)
    if is_directory != stat.S_ISDIR(os.fstat(target).st_mode):  # the kernel says EINVAL
        number = errno.ENOTDIR if is_directory else errno.EISDIR
        raise OSError(number, os.strerror(number))
    syscalls.move_mount(tree, target)
    os.close(tree)
    os.close(target)


def _descriptor(path: str) -> int:
    return os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)


def _on(target: int) -> str:
    return f"/proc/self/fd/{target}"
