"""Steps under PRoot: as a plain user, outside of any namespace."""

import errno
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from img.adapters.executor.fork_server_executor import ForkServerExecutor
from img.adapters.executor.proot import ProotLauncher
from img.adapters.linux import landlock
from img.adapters.storage import file_entries, owner_records
from img.adapters.storage.ownership import RecordedOwnership
from img.domain.process import BindMount, FileMount, TmpfsMount
from tests.support.host.machine import need_root
from tests.support.steps.executors import executor_named
from tests.support.steps.step_roots import StepRoot, Steps, in_env, lasting, step_root
from tests.support.steps.system_call import program_that_calls_all


@pytest.fixture
def root() -> Iterator[StepRoot]:
    with step_root("directory") as root:
        yield root


@pytest.fixture
def steps(root: StepRoot) -> Iterator[Steps]:
    executor = executor_named("proot")
    yield Steps(executor, root)
    executor.close()


def test_a_step_of_root_has_no_capabilities_and_changes_no_settings(root: StepRoot) -> None:
    need_root()
    if not landlock.handles_files():
        pytest.skip("no Landlock in this kernel, or it is not among its LSMs")
    executor = ForkServerExecutor(ProotLauncher())
    setting = "/proc/sys/kernel/core_pattern"

    seen = Steps(executor, root).sh(
        f"busybox grep CapEff: /proc/self/status; x=$(cat {setting}); echo $x >{setting} || echo no"
    )
    executor.close()

    assert seen.splitlines() == ["CapEff:\t0000000000000000", "no"]


@pytest.mark.plain_user
def test_calls_that_proot_does_not_know_do_not_show_the_host(steps: Steps) -> None:
    # coreutils' stat asks by statx, dash's test by faccessat2.
    host = in_env(
        mounts=tuple(
            BindMount(source=path, target=path)
            for path in ("/usr", "/lib", "/lib64")
            if Path(path).exists()
        )
    )
    steps.root.write("etc/only-in-the-image", "")

    assert steps.run(["/usr/bin/stat", "/etc/only-in-the-image"], process=host).success
    assert not steps.run(["/usr/bin/stat", "/etc/passwd"], process=host).success
    if Path("/usr/bin/dash").exists():
        script = "test -r /etc/only-in-the-image && ! test -r /etc/passwd"
        assert steps.run(["/usr/bin/dash", "-c", script], process=host).success


@pytest.mark.plain_user
def test_mounts_are_shown_and_leave_no_trace(steps: Steps, tmp_path: Path) -> None:
    (tmp_path / "a:b").mkdir()
    (tmp_path / "a:b/file").write_text("hello")
    steps.root.link("up", "../../../../away")
    process = in_env(
        mounts=(
            BindMount(source=str(tmp_path / "a:b"), target="/in/side", read_only=False),
            FileMount(target="/run/secrets/key", content=b"s3cret"),
            FileMount(target="/dev/pipes/x", content=b"script"),
            FileMount(target="/up/y", content=b"linked"),
            TmpfsMount(target="/scratch"),
        )
    )

    seen = steps.sh(
        "cat /in/side/file /run/secrets/key /dev/pipes/x /away/y; echo x >/scratch/x; echo y "
        ">/in/side/new; echo z >/dev/null; ls /scratch",
        process,
    )

    assert seen == "hellos3cretscriptlinkedx\n"
    assert (tmp_path / "a:b/new").exists()
    assert sorted(os.listdir(steps.root.changed)) == ["bin", "up"]


@pytest.mark.plain_user
def test_daemons_end_with_the_command(steps: Steps) -> None:
    tag = lasting()
    steps.sh(f"busybox setsid {tag} </dev/null >/dev/null 2>&1 & echo started")

    assert tag.replace(" ", "\0") not in _command_lines()


@pytest.mark.plain_user
def test_the_user_of_the_image_is_pretended(steps: Steps) -> None:
    steps.root.write("etc/passwd", "app:x:1000:1001::/home/app:/bin/sh\n")

    assert steps.sh("id -u; id -g; echo $HOME", in_env(user="app")).split() == [
        "1000",
        "1001",
        "/home/app",
    ]
    assert steps.sh("id -u; busybox chown 5:6 /bin/sh") == "0\n"


_CLOSED = """
echo a >/f; chmod 444 /f; echo b >>/f; chmod 0 /f; cat /f; echo c >/f
test -r /f -a -w /f && echo rw; test -x /f || echo no program; mkdir -m 555 /d; cd /d
for each in "touch y" "mv y z" "ln z h" "ln -s z l" "mkdir e" "touch e/k" "mkfifo p" "cp /f f"; do
    busybox $each || echo failed: $each
done
busybox rmdir e 2>&1; busybox rm none 2>&1; busybox mkdir e 2>&1; cd /; busybox mv /d/h /h
busybox rm -r /d/e; busybox stat -c '%a %h %n' /f /d /h /d/*
"""
_SEEN = """a
b
rw
no program
rmdir: 'e': Directory not empty
rm: can't remove 'none': No such file or directory
mkdir: can't create directory 'e': File exists
0 1 /f
555 2 /d
644 2 /h
0 1 /d/f
777 1 /d/l
644 1 /d/p
644 2 /d/z
"""


@pytest.mark.plain_user
def test_modes_keep_roots_steps_out_of_nothing_but_directories_that_none_may_search(
    steps: Steps,
) -> None:
    assert steps.sh(_CLOSED) == _SEEN
    assert sorted(os.listdir(steps.root.changed / "d")) == ["f", "l", "p", "z"]
    steps.sh("chmod 755 /d")


@pytest.mark.plain_user
def test_modes_keep_others_out_as_ever(steps: Steps) -> None:
    steps.sh("echo secret >/f; chmod 0 /f; mkdir -m 555 /d; busybox touch /d/x; chmod 777 /")
    script = (
        "cat /f; echo more >>/f; echo new >/d/y; busybox rm -f /d/x; busybox mv /d/x /x;"
        "test -r /f || test -w /d || echo out"
    )

    assert steps.sh(script, in_env(user="1000")) == "out\n"
    assert os.listdir(steps.root.changed / "d") == ["x"]
    steps.sh("chmod 755 /d")


@pytest.mark.plain_user
def test_no_link_of_a_step_has_the_mode_of_a_file_outside_changed(
    steps: Steps, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("outside")
    (outside / "file").chmod(0)
    outside.chmod(0o555)
    steps.root.link("out", str(outside))
    steps.root.link("file", f"{outside}/file")

    seen = steps.sh(
        "for i in 1 2 3; do cat /file; cat /out/file; echo >/out/new; echo >/file; done 2>&1; echo"
    )

    assert "outside" not in seen
    assert (outside.stat().st_mode & 0o777, os.listdir(outside)) == (0o555, ["file"])
    assert (outside / "file").stat().st_mode & 0o777 == 0
    outside.chmod(0o755)


@pytest.mark.plain_user
def test_nothing_is_written_to_what_is_mounted_to_be_read(steps: Steps) -> None:
    if not landlock.version():
        pytest.skip("the kernel has no Landlock")
    place = steps.root.changed.with_name("mounted")  # not below /tmp, where PRoot has to write
    place.mkdir()
    (place / "file").write_text("kept")
    (place / "closed").mkdir(mode=0o555)
    mounts = (BindMount(source=str(place), target="/c"),)
    script = (
        "cat /c/file; for each in file new closed/new; do echo x >>/c/$each; done;"
        "busybox rm -f /c/file; busybox mkdir /c/d; echo"
    )

    assert steps.sh(script, in_env(mounts=mounts)) == "kept\n"
    assert (place / "file").read_text() == "kept"
    assert sorted(os.listdir(place)) == ["closed", "file"]


@pytest.mark.plain_user
def test_files_that_may_not_be_read_become_entries_of_layers(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("secret")
    owner_records.write(str(path), owner_records.Owner(5, 6))
    owner_records.keep_capability(str(path), _CAPABILITY)
    path.chmod(0)

    names = file_entries.xattr_names(str(path))
    entry = file_entries.entry_of(str(path), "f", path.lstat(), names, RecordedOwnership())

    assert (entry.mode, entry.uid, entry.gid) == (0, 5, 6)
    assert entry.xattrs == (("security.capability", _CAPABILITY),)
    with file_entries.open_file(str(path)) as file:
        assert file.read() == b"secret"
    assert path.stat().st_mode & 0o7777 == 0


_CAPABILITY = struct.pack("<5I", 0x0200_0001, 1 << 13, 0, 0, 0)  # cap_net_raw+ep
_CAPGET, _CAPSET, _SETXATTR, _GETXATTR, _REMOVEXATTR = 125, 126, 188, 191, 197


@pytest.mark.plain_user
@pytest.mark.parametrize("user", ["", "1000"])
def test_root_sets_and_reads_capabilities_of_files(steps: Steps, user: str) -> None:
    if os.uname().machine != "x86_64":
        pytest.skip("the program is for x86-64")
    header = struct.pack("Ii", 0x2008_0522, 0)
    wanted = struct.pack("<6I", 1 << 31, 1 << 31, 0, 0, 0, 0)  # cap_setfcap
    of_file = (b"/file\0", b"security.capability\0")
    calls = (
        (_CAPGET, (header, bytes(24))),
        (_CAPSET, (header, wanted)),
        (_SETXATTR, (*of_file, _CAPABILITY, len(_CAPABILITY), 0)),
        (_GETXATTR, (*of_file, bytes(64), 64)),
    )
    steps.root.write("file", "", mode=0o666)
    program = steps.root.whole[-1] / "bin/set"
    program.write_bytes(program_that_calls_all(calls))
    program.chmod(0o755)

    status = steps.run(["/bin/set"], process=in_env(user=user))

    kept = owner_records.capability_on(str(steps.root.whole[-1] / "file"))
    assert (status.code, kept) == ((errno.EPERM, None) if user else (0, _CAPABILITY))


@pytest.mark.parametrize("owner", ["0", "7"])
def test_a_new_owner_removes_capabilities_of_a_file(steps: Steps, owner: str) -> None:
    path = str(steps.root.whole[-1] / "file")
    steps.root.write("file", "", mode=0o755)
    owner_records.keep_capability(path, _CAPABILITY)

    steps.sh(f"busybox chown {owner} /file")

    assert owner_records.capability_on(path) is None


def _command_lines() -> str:
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            found.append(Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace"))
        except OSError:
            continue
    return "\n".join(found)
