"""The environment and the limits of a step in real namespaces."""

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from img.adapters.executor.fork_server_executor import ForkServerExecutor
from img.adapters.executor.unshare import UnshareLauncher
from img.application.ports.executor import Executor, ProcessNotStarted
from img.domain.process import (
    BindMount,
    FileMount,
    Network,
    OverlayRoot,
    TmpfsMount,
    Ulimit,
)
from tests.support.steps.step_roots import (
    GROUP,
    PASSWD,
    StepRoot,
    Steps,
    in_env,
    step_root,
)

pytestmark = pytest.mark.userns

DOCKERS = 0xA80425FB
NET_RAW, MKNOD = 1 << 13, 1 << 27


def lacks_mknod(steps: Steps) -> bool:
    """Tell whether a runtime is used by root that would let the devices of a step be opened."""
    ids = Path("/proc/self/uid_map").read_text(encoding="ascii").split()
    assert isinstance(steps.executor, ForkServerExecutor)
    runtime = getattr(steps.executor.launcher, "runtime", "")
    return runtime == "crun" and ids[2] == "4294967295"


def with_users(root: StepRoot) -> None:
    root.write("etc/passwd", PASSWD)
    root.write("etc/group", GROUP)


# --- the identity of the process ---


def test_the_command_is_pid_1_and_sees_no_other_process(steps: Steps) -> None:
    assert steps.sh("echo $$; ls -d /proc/[0-9]*").split()[:2] == ["1", "/proc/1"]


@pytest.mark.parametrize("network", [Network.HOST, Network.NONE])
def test_root_has_dockers_capabilities_and_may_gain_privileges(
    steps: Steps, network: Network
) -> None:
    status = steps.sh("cat /proc/self/status", in_env(network=network))

    expected = DOCKERS & ~MKNOD if lacks_mknod(steps) else DOCKERS
    expected &= ~NET_RAW if network is Network.HOST else -1
    for name in ("Prm", "Eff", "Bnd"):
        assert f"Cap{name}:\t{expected:016x}" in status
    for name in ("Inh", "Amb"):
        assert f"Cap{name}:\t0000000000000000" in status
    assert "NoNewPrivs:\t0" in status


def test_a_user_has_no_capabilities_and_the_groups_of_the_image(steps: Steps) -> None:
    with_users(steps.root)

    seen = steps.sh("id; cat /proc/self/status", in_env(user="app"))

    assert "uid=1000(app) gid=1001(app) groups=29(audio),1001(app)" in seen
    assert "CapEff:\t0000000000000000" in seen
    assert "CapPrm:\t0000000000000000" in seen
    expected = DOCKERS & ~NET_RAW & (~MKNOD if lacks_mknod(steps) else -1)
    assert f"CapBnd:\t{expected:016x}" in seen


def test_a_number_and_a_group_need_not_exist(steps: Steps) -> None:
    assert steps.sh("id -u; id -g; id -G", in_env(user="1234:5678")).split() == [
        "1234",
        "5678",
        "5678",
    ]


def test_a_user_that_does_not_exist_is_named(steps: Steps) -> None:
    with pytest.raises(ProcessNotStarted, match="unable to find user who: no matching entries"):
        steps.run(["/bin/true"], process=in_env(user="who"))


@pytest.mark.user_namespace
def test_an_id_that_nobody_gave_is_refused_in_words(steps: Steps) -> None:
    with pytest.raises(ProcessNotStarted, match=r"cannot become 2000000:0.*/etc/subuid"):
        steps.run(["/bin/true"], process=in_env(user="2000000"))


def test_insecure_keeps_all_capabilities_and_masks_nothing(steps: Steps) -> None:
    seen = steps.sh("cat /proc/self/status /proc/mounts", in_env(insecure=True))

    assert "CapEff:\t00000000a80425fb" not in seen
    assert " /proc/sys " not in seen
    steps.sh("mount -t tmpfs tmpfs /bin", in_env(insecure=True))


def test_what_a_user_gets_is_not_the_machines(steps: Steps) -> None:
    steps.sh("echo >/dev/null", in_env(user="1000:1001"))

    assert os.stat("/dev/null").st_uid != 1000


def test_a_user_opens_the_streams_as_with_docker(steps: Steps) -> None:
    script = "echo out >/dev/stdout; echo err >/dev/stderr; cat </dev/stdin"
    steps.sh(script, in_env(user="1000:1001"))

    assert (steps.stdout, steps.stderr) == ("out\n", "err\n")


# --- environment, directory, limits ---


def test_nothing_of_our_environment_leaks(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_CALLER", "1")

    seen = steps.run(["/bin/busybox", "env"], process=in_env(env={"A": "b=c"}))

    assert seen.success
    assert sorted(steps.stdout.split()) == [
        "A=b=c",
        "HOME=/",
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ]


def test_home_is_the_images_word_unless_the_environment_has_one(steps: Steps) -> None:
    with_users(steps.root)

    assert steps.sh("echo $HOME") == "/root\n"
    assert steps.sh("echo $HOME", in_env(user="app")) == "/home/app\n"
    assert steps.sh("echo $HOME", in_env(user="app", env={"HOME": "/x"})) == "/x\n"


def test_a_missing_working_directory_is_made_and_stays(steps: Steps) -> None:
    assert steps.sh("pwd; id -u", in_env(cwd="/srv/deep/er", user="7:7")) == "/srv/deep/er\n7\n"

    for name in ("srv", "srv/deep", "srv/deep/er"):
        made = (steps.root.changed / name).stat()
        assert (stat.S_IMODE(made.st_mode), made.st_uid, made.st_gid) == (0o755, 0, 0)


def test_a_working_directory_cannot_lead_out_of_the_root(steps: Steps) -> None:
    for number in range(3, 20):
        with pytest.raises(ProcessNotStarted, match="working directory"):
            steps.run(["/bin/true"], process=in_env(cwd=f"/proc/self/fd/{number}"))


def test_a_file_is_no_working_directory(steps: Steps) -> None:
    with pytest.raises(ProcessNotStarted, match='working directory "/bin/busybox"'):
        steps.run(["/bin/true"], process=in_env(cwd="/bin/busybox"))


def test_umask_and_signals_are_fresh(steps: Steps) -> None:
    assert steps.sh("umask") == "0022\n"
    steps.run(["cat", "/proc/self/status"])  # not by a shell, which has signals of its own
    for name in ("SigBlk", "SigIgn", "SigCgt"):
        assert f"{name}:\t0000000000000000" in steps.stdout


def test_limits_are_set_and_clamped_with_a_warning(steps: Steps) -> None:
    limits = (Ulimit(name="nofile", soft=100, hard=200), Ulimit(name="core", soft=0, hard=0))
    assert steps.sh("ulimit -n; ulimit -Hn; ulimit -c", in_env(ulimits=limits)).split() == [
        "100",
        "200",
        "0",
    ]

    for number in (1 << 40, -12):
        much = (Ulimit(name="nofile", soft=number, hard=number),)
        assert int(steps.sh("ulimit -n", in_env(ulimits=much))) < 1 << 40
        assert "ulimit nofile: this system allows no more than" in steps.stderr


def test_a_limit_that_does_not_exist_is_refused(steps: Steps) -> None:
    with pytest.raises(ProcessNotStarted, match="invalid ulimit type: beer"):
        steps.run(["/bin/true"], process=in_env(ulimits=(Ulimit(name="beer", soft=1, hard=1),)))


# --- how commands are found ---


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["foo"], 'exec: "foo": executable file not found in $PATH'),
        (["text"], 'exec: "text": executable file not found in $PATH'),
        (["/bin/foo"], 'exec: "/bin/foo": stat /bin/foo: no such file or directory'),
        (["/bin/text"], 'exec: "/bin/text": permission denied'),
        (["/bin"], 'exec: "/bin": is a directory'),
        (["/bin/lost"], "exec /bin/lost: no such file or directory"),
        (["/bin/noise"], "exec /bin/noise: exec format error"),
        ([], "no command to run"),
    ],
)
def test_what_cannot_be_executed_is_said_as_runc_says_it(
    steps: Steps, argv: list[str], message: str
) -> None:
    steps.root.write("bin/text", "hello")
    steps.root.write("bin/lost", "#!/no/interpreter\n", 0o755)
    steps.root.write("bin/noise", "\x01\x02\x03", 0o755)

    try:
        status = steps.run(argv)
    except ProcessNotStarted as error:
        assert error.message == message
    else:  # a runtime that has started before it knows
        assert isinstance(steps.executor, ForkServerExecutor)
        assert not isinstance(steps.executor.launcher, UnshareLauncher)
        assert not status.success
        assert message.rpartition(": ")[2] in steps.stderr.lower()


def test_path_is_the_processs_own(steps: Steps) -> None:
    steps.root.write("opt/bin/hello", "#!/bin/sh\necho hello\n", 0o755)

    assert steps.run(["hello"], process=in_env(env={"PATH": "/nowhere:/opt/bin"})).success
    assert steps.stdout == "hello\n"


# --- what is mounted ---


def test_dev_has_the_standard_nodes_and_nothing_else(steps: Steps) -> None:
    core = ["core"] if Path("/proc/kcore").exists() else []  # as the kernel has it
    usual = "fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero"
    assert steps.sh("ls /dev").split() == core + usual.split()
    steps.sh("echo x >/dev/null; echo y >/dev/stdout; : </dev/zero; echo z >/dev/shm/z")
    assert "64.0M" in steps.sh("busybox df -h /dev/shm")
    assert "1.0M" in steps.sh("busybox df -h /dev/shm", in_env(shm_size=1 << 20))


def test_proc_and_sys_are_masked_and_read_only(steps: Steps) -> None:
    assert steps.run(["/bin/sh", "-c", "echo 1 >/proc/sys/kernel/printk"]).code != 0
    assert "Read-only" in steps.stderr
    assert steps.run(["/bin/sh", "-c", "echo 1 >/sys/kernel/uevent_seqnum"]).code != 0
    assert steps.sh("cat /proc/keys /proc/timer_list; ls /sys/firmware") == ""


def test_names_resolve_as_on_the_host_and_as_the_step_says(steps: Steps) -> None:
    hosts = steps.sh("cat /etc/hosts", in_env(hosts=(("db", "10.0.0.7"),), hostname="me"))

    assert hosts.startswith("127.0.0.1\tlocalhost me\n")
    assert "10.0.0.7\tdb\n" in hosts
    assert hosts.endswith(Path("/etc/hosts").read_text(encoding="utf-8"))
    assert steps.sh("cat /etc/resolv.conf") == Path("/etc/resolv.conf").read_text(encoding="utf-8")


def test_the_hostname_is_buildkits_or_the_steps(steps: Steps) -> None:
    assert steps.sh("busybox hostname") == "buildkitsandbox\n"
    assert steps.sh("busybox hostname", in_env(hostname="me")) == "me\n"


def test_without_network_there_is_only_a_loopback_that_works(steps: Steps) -> None:
    alone = in_env(network=Network.NONE)

    assert steps.sh("ls /sys/class/net", alone).split() == ["lo"]
    assert "UP" in steps.sh("busybox ip link show lo", alone)
    assert len(steps.sh("cat /proc/net/dev", alone).splitlines()) == 3


def test_a_bind_is_read_only_unless_asked_otherwise(steps: Steps, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "file").write_text("hello\n", encoding="utf-8")
    read = in_env(mounts=(BindMount(source=str(tmp_path), target="/in/side"),))
    write = in_env(mounts=(BindMount(source=str(tmp_path), target="/in/side", read_only=False),))
    one = in_env(mounts=(BindMount(source=str(tmp_path / "file"), target="/one"),))

    assert steps.sh("cat /in/side/file", read) == "hello\n"
    assert not steps.run(["/bin/sh", "-c", "echo x >/in/side/new"], process=read).success
    steps.sh("echo new >/in/side/new", write)
    assert (tmp_path / "new").read_text(encoding="utf-8") == "new\n"
    assert steps.sh("cat /one", one) == "hello\n"
    assert "in" not in os.listdir(steps.root.changed)


def test_tmpfs_and_files_in_memory_leave_no_trace(steps: Steps) -> None:
    process = in_env(
        user="1000",
        mounts=(
            FileMount(target="/run/secrets/key", content=b"s3cret", uid=1000, mode=0o400),
            TmpfsMount(target="/scratch", size=1 << 20),
            FileMount(target="/scratch/in", content=b"inner"),
        ),
    )

    assert steps.sh("cat /run/secrets/key; echo x >/scratch/x; ls -l /scratch", process).startswith(
        "s3cret"
    )
    assert not steps.run(["/bin/sh", "-c", "echo x >/run/secrets/key"], process=process).success
    assert not {"run", "scratch"} & set(os.listdir(steps.root.changed))


def test_mount_targets_that_are_links_stay_inside_the_root(steps: Steps) -> None:
    steps.root.link("up", "../../../../away")
    steps.root.link("abs", "/tmp/there")
    steps.root.link("loop", "loop")
    for target, seen in (("/up/x", "/away/x"), ("/abs", "/tmp/there"), ("/../../top", "/top")):
        process = in_env(mounts=(FileMount(target=target, content=b"here"),))
        assert steps.sh(f"cat {seen}", process) == "here"
        assert not os.path.lexists("/away")

    with pytest.raises(ProcessNotStarted, match=r"cannot mount /loop/x: Too many levels"):
        steps.run(["/bin/true"], process=in_env(mounts=(TmpfsMount(target="/loop/x"),)))


def test_a_mount_that_cannot_be_is_named(steps: Steps) -> None:
    gone = in_env(mounts=(BindMount(source="/no/such/thing", target="/x"),))

    with pytest.raises(ProcessNotStarted, match="cannot mount /x: No such file or directory"):
        steps.run(["/bin/true"], process=gone)


def test_500_layers_are_mounted(executor: Executor) -> None:
    with step_root("overlay") as root:
        assert isinstance(root.root, OverlayRoot)
        layers = []
        for number in range(498):
            layers.append(root.changed.parent / "layers" / f"a,b:c {number}" / ("long" * 20))
            layers[-1].mkdir(parents=True)
            (layers[-1] / "top").write_text(f"{number}\n", encoding="utf-8")
        lowers = (*map(str, layers), *root.root.lowers)

        steps = Steps(executor, replace(root, root=replace(root.root, lowers=lowers)))

        assert steps.sh("cat /top") == "0\n"
