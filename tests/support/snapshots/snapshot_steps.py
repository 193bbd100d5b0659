"""Changes that steps of a build make to their root, as a table of functions."""

import os
import shutil
import socket
import subprocess
from collections.abc import Callable

from img.testing.snapshots import CAPABILITY, OLD, SECOND, write

Step = Callable[[Callable[[str], str]], object]
STEPS: dict[str, Step] = {}


def adding_to(steps: dict[str, Step]) -> Callable[[Step], Step]:
    """Return a decorator that adds a function to ``steps`` by its name."""

    def add(work: Step) -> Step:
        steps[work.__name__] = work
        return work

    return add


step = adding_to(STEPS)


def append(path: str) -> None:
    with open(path, "ab") as target:
        target.write(b"!")


def rewrite_as_it_was(path: str) -> None:
    """Replace a file by an equal one, as dpkg does when it installs again."""
    shutil.copyfile(path, f"{path}.tmp")
    status = os.lstat(path)
    os.chown(f"{path}.tmp", status.st_uid, status.st_gid)
    os.chmod(f"{path}.tmp", status.st_mode & 0o7777)
    os.utime(f"{path}.tmp", ns=(status.st_atime_ns, status.st_mtime_ns))
    os.rename(f"{path}.tmp", path)


def keep_mtime(path: str) -> None:
    os.utime(path, ns=(OLD, OLD))


@step
def nothing(at: Callable[[str], str]) -> None:
    pass


@step
def create(at: Callable[[str], str]) -> None:
    write(at("etc/created"))
    os.makedirs(at("srv/a/b"))
    write(at("srv/a/b/c"))
    os.mkdir(at("srv/empty"))
    write(at("srv/nothing"), b"")


@step
def modify(at: Callable[[str], str]) -> None:
    append(at("etc/conf"))
    append(at("dir/sub/deep"))


@step
def modify_with_the_same_size_and_mtime(at: Callable[[str], str]) -> None:
    write(at("etc/conf"), b"wen")
    keep_mtime(at("etc/conf"))


@step
def write_the_same_content(at: Callable[[str], str]) -> None:
    write(at("etc/conf"), b"new")


@step
def write_the_same_content_and_mtime(at: Callable[[str], str]) -> None:
    write(at("etc/conf"), b"new")
    keep_mtime(at("etc/conf"))
    rewrite_as_it_was(at("dir/one"))
    keep_mtime(at("dir"))


@step
def open_for_writing_only(at: Callable[[str], str]) -> None:
    os.close(os.open(at("etc/conf"), os.O_RDWR))


@step
def change_modes(at: Callable[[str], str]) -> None:
    os.chmod(at("etc/conf"), 0o600)
    os.chmod(at("etc"), 0o2775)
    os.chmod(at("usr/bin/su"), 0o755)
    os.chmod(at("dir/one"), 0o6711)
    os.chmod(at(""), 0o1777)


@step
def change_modes_and_back(at: Callable[[str], str]) -> None:
    for path, mode in (("etc/conf", 0o644), ("dir", 0o755), ("", 0o755)):
        os.chmod(at(path), 0o777)
        os.chmod(at(path), mode)


@step
def change_owners(at: Callable[[str], str]) -> None:
    os.chown(at("etc/conf"), 33, 44)
    os.chown(at("dir/sub"), 1, -1)
    os.lchown(at("bin"), 5, 6)
    os.lchown(at("fifo"), 5, 6)
    os.chown(at("usr/bin/ping"), 0, 0)  # loses its capability


@step
def change_owners_to_what_they_are(at: Callable[[str], str]) -> None:
    for path in ("etc/conf", "dir", "bin", "fifo"):
        os.lchown(at(path), 0, 0)
    os.lchown(at("dir/three"), 1000, 1000)


@step
def touch(at: Callable[[str], str]) -> None:
    os.utime(at("etc/conf"))
    os.utime(at("dir"))
    os.utime(at("bin"), follow_symlinks=False)
    os.utime(at("usr/share/x"), ns=(OLD, OLD + 1))  # not in whole seconds
    os.utime(at("usr/bin"), ns=(OLD, OLD - 5 * SECOND))


@step
def delete_files(at: Callable[[str], str]) -> None:
    os.unlink(at("etc/conf"))
    os.unlink(at("dir/three"))
    os.unlink(at("bin"))
    os.unlink(at("fifo"))


@step
def delete_directories(at: Callable[[str], str]) -> None:
    shutil.rmtree(at("dir"))
    shutil.rmtree(at("full"))


@step
def delete_everything(at: Callable[[str], str]) -> None:
    for name in os.listdir(at("")):
        path = at(name)
        shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)


@step
def delete_what_was_created(at: Callable[[str], str]) -> None:
    write(at("etc/created"))
    os.unlink(at("etc/created"))
    os.mkdir(at("etc/made"))
    os.rmdir(at("etc/made"))
    keep_mtime(at("etc"))


@step
def delete_and_create_again(at: Callable[[str], str]) -> None:
    os.unlink(at("etc/conf"))
    write(at("etc/conf"), b"new")
    keep_mtime(at("etc/conf"))
    keep_mtime(at("etc"))


@step
def replace_a_directory(at: Callable[[str], str]) -> None:
    shutil.rmtree(at("dir"))
    os.mkdir(at("dir"))
    write(at("dir/one"))
    os.mkdir(at("dir/sub"))
    write(at("dir/sub/new"))
    write(at("dir/fresh"))


@step
def replace_a_directory_by_an_equal_one(at: Callable[[str], str]) -> None:
    shutil.copytree(at("dir"), at("copy"), symlinks=True)
    shutil.rmtree(at("dir"))
    os.mkdir(at("dir"))
    write(at("dir/one"), b"one")
    keep_mtime(at("dir/one"))
    keep_mtime(at("dir"))


@step
def a_directory_becomes_a_file(at: Callable[[str], str]) -> None:
    shutil.rmtree(at("dir"))
    write(at("dir"))


@step
def a_file_becomes_a_directory(at: Callable[[str], str]) -> None:
    os.unlink(at("etc/conf"))
    os.mkdir(at("etc/conf"))
    write(at("etc/conf/d"))


@step
def a_directory_becomes_a_link(at: Callable[[str], str]) -> None:
    os.rename(at("etc/conf"), at("etc/moved"))
    shutil.rmtree(at("dir"))
    os.symlink("etc", at("dir"))


@step
def a_link_becomes_a_directory(at: Callable[[str], str]) -> None:
    os.unlink(at("bin"))
    os.mkdir(at("bin"))
    write(at("bin/sh"))


@step
def a_link_leads_elsewhere(at: Callable[[str], str]) -> None:
    os.unlink(at("bin"))
    os.symlink("usr/sbin", at("bin"))
    os.symlink("x" * 300, at("long-link"))


@step
def kinds_change(at: Callable[[str], str]) -> None:
    os.unlink(at("fifo"))
    write(at("fifo"))
    os.unlink(at("etc/conf"))
    os.mkfifo(at("etc/conf"))
    os.unlink(at("dir/one"))
    os.symlink("two", at("dir/one"))


@step
def rename_files(at: Callable[[str], str]) -> None:
    os.rename(at("etc/conf"), at("etc/renamed"))
    os.rename(at("dir/one"), at("dir/three"))
    os.rename(at("bin"), at("sbin"))


@step
def rename_directories(at: Callable[[str], str]) -> None:
    subprocess.run(["mv", at("dir"), at("dir2")], check=True)
    os.mkdir(at("made"))
    os.rename(at("made"), at("etc/made"))


@step
def make_special_files(at: Callable[[str], str]) -> None:
    os.mkfifo(at("etc/pipe"))
    with socket.socket(socket.AF_UNIX) as server:
        here = os.getcwd()
        os.chdir(at("etc"))
        server.bind("socket")
        os.chdir(here)


@step
def a_socket_takes_the_place_of_a_file(at: Callable[[str], str]) -> None:
    os.unlink(at("etc/conf"))
    with socket.socket(socket.AF_UNIX) as server:
        here = os.getcwd()
        os.chdir(at("etc"))
        server.bind("conf")
        os.chdir(here)


@step
def modes_of_new_files(at: Callable[[str], str]) -> None:
    for name, mode in (("setuid", 0o4755), ("setgid", 0o2755), ("none", 0)):
        write(at(f"etc/{name}"))
        os.chown(at(f"etc/{name}"), 12, 34)
        os.chmod(at(f"etc/{name}"), mode)
    os.mkdir(at("etc/sticky"))
    os.chmod(at("etc/sticky"), 0o3777)


@step
def change_xattrs(at: Callable[[str], str]) -> None:
    os.setxattr(at("etc/conf"), "user.mime", b"text/plain\0")
    os.setxattr(at("etc"), "user.dir", b"")
    os.setxattr(at("usr/share/x"), "user.note", b"ho")
    os.setxattr(at("usr/bin/su"), "security.capability", CAPABILITY)
    os.removexattr(at("usr/bin/ping"), "security.capability")


@step
def change_xattrs_and_back(at: Callable[[str], str]) -> None:
    os.setxattr(at("usr/share/x"), "user.note", b"ho")
    os.setxattr(at("usr/share/x"), "user.note", b"hi")
    os.setxattr(at("etc"), "user.dir", b"x")
    os.removexattr(at("etc"), "user.dir")


@step
def set_xattrs_that_are_ours(at: Callable[[str], str]) -> None:
    os.setxattr(at("etc/conf"), "user.img.owner", b"1:1")
    os.setxattr(at("etc/passwd"), "user.fuseoverlayfs.origin", b"x")


@step
def big_and_sparse(at: Callable[[str], str]) -> None:
    write(at("big"), os.urandom(1 << 10) * 3000)
    with open(at("sparse"), "wb") as hole:
        hole.truncate(5 << 20)
    os.truncate(at("etc/passwd"), 0)


@step
def odd_names(at: Callable[[str], str]) -> None:
    for name in ("with space", "new\nline", "\udcfe\udcff", "ü", "-dash", "a\\b", "'", "n" * 255):
        write(at(f"etc/{name}"))
    append(at("odd name\n"))
    os.unlink(at("odd \udcff"))
    deep = at("/".join(["d" * 200] * 10))
    os.makedirs(deep)
    write(f"{deep}/{'f' * 200}")


@step
def order_of_names(at: Callable[[str], str]) -> None:
    for name in ("dir-x", "dir.x", "dir0", "dir/sub-x"):
        write(at(name))
    append(at("dir/sub/deep"))
