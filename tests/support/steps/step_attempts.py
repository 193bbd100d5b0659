"""Attempts of root in a step to get out of its root, or to outlive the step."""

from collections.abc import Sequence

READS = (
    "cat {outside}/secret",
    "cat ../../../../../../../..{outside}/secret",
    "cat /proc/1/root{outside}/secret",
    "cat /proc/1/cwd/secret /proc/1/cwd/../outside/secret",
    "cat /proc/self/root{outside}/secret /proc/thread-self/root{outside}/secret",
    "for p in /proc/[0-9]*; do cat $p/root{outside}/secret $p/cwd/outside/secret; done",
    "for p in /proc/[0-9]*; do cat $p/fd/*/secret $p/fd/*/outside/secret; done",
    "busybox mkdir /m; mount -o bind /proc/1/root /m && cat /m{outside}/secret",
    "busybox mknod /d b 254 0; mount /d /m; mount -t overlay -o lowerdir=/:/ o /bin",
    "busybox pivot_root / /bin",
    "busybox ln {outside}/secret /stolen && cat /stolen",
    "busybox chroot /proc/1/root cat {outside}/secret",
    "busybox chroot /proc/self/cwd/../.. cat {outside}/secret",
    "busybox mkdir /j; busybox chroot /j /bin/sh; cd ../../../../../..; cat .{outside}/secret",
)


CHANGES = (
    # one's own user namespace has all capabilities in it, and none outside
    "busybox unshare -Urm umount /proc/sys",
    "busybox unshare -Urm umount /proc/kcore",
    "busybox unshare -Urm mount -o remount,rw,bind /proc/sys",
    "busybox unshare -Urm mount -t proc proc /proc",
    "busybox unshare -Ur busybox hostname evil",
    "busybox unshare -Urm busybox mount -t sysfs sysfs /sys",
    "busybox unshare -p -f true",
    "busybox nsenter -t 1 -m true",
    "echo 1 >/proc/sys/vm/drop_caches",
    "echo '|/bin/true' >/proc/sys/kernel/core_pattern",
    "echo /bin/true >/proc/sys/kernel/modprobe",
    "echo x >/proc/sysrq-trigger",
    "busybox dd if=/proc/kcore of=/dev/null bs=64 count=1 | busybox grep -q .",
    "test -s /proc/kcore",
    "test -s /proc/keys || test -s /proc/timer_list || test -s /proc/sched_debug",
    "echo 0 >/proc/irq/0/smp_affinity",
    "echo x >/sys/kernel/uevent_helper",
    "echo 1 >/sys/kernel/profiling",
    "busybox mkdir /sys/fs/cgroup/evil",
    "echo 1 >/sys/fs/cgroup/cgroup.procs",
    "echo max >/sys/class/block/loop0/queue/nr_requests",
    "busybox insmod /bin/busybox",
    "busybox swapoff -a && busybox swapon /bin/busybox",
    "busybox dmesg",
    "busybox mount -t cgroup2 none /bin",
    "busybox mount -t binfmt_misc none /bin",
    "busybox mount -t debugfs none /bin",
)


LOOK = """#!/bin/sh
cat /proc/[0-9]*/environ
echo own:
cat /proc/self/environ
echo fds: $(cd /proc/self/fd && echo *) .
for f in 3 4 5 6 7 8 9; do { true <&$f; } 2>/dev/null && echo fds: open $f; done
exit 0
"""


DRIVER = """
import os, sys, threading
sys.path.insert(0, os.getcwd())
from img.domain.process import DirectoryRoot, Process
from tests.support.steps.executors import executor_named
executor = executor_named({name!r})
status = executor.run(
    Process(argv=("/look",), env={{}}), DirectoryRoot(path={path!r}),
    lambda stream, data: os.write(stream, data), threading.Event(),
)
executor.close()
sys.exit(status.code)
"""


DAEMONS = {
    "session": "busybox setsid sleep {time} &",
    "double fork": "(busybox setsid sh -c '(sleep {time} &) ; true' &) ; busybox usleep 50000",
    "deaf": "(trap '' TERM INT HUP; busybox setsid sleep {time} </dev/null >/dev/null 2>&1 &)",
    "stopped": "busybox setsid sleep {time} & busybox kill -STOP $!",
    "spawning": "(while :; do busybox setsid sleep {time} & busybox usleep 3000; done) "
    "</dev/null >/dev/null 2>&1 & busybox usleep 100000",
    "chain": "busybox setsid sh -c 'busybox setsid sh -c \"busybox setsid sleep {time} &\" &' &"
    " busybox usleep 50000",
}


def trying(attempts: Sequence[str]) -> str:
    """Return a script that makes all attempts, and says the number of each that succeeds."""
    tries = [
        f"( {attempt}\n) </dev/null && echo succeeded: {number}"
        for number, attempt in enumerate(attempts)
    ]
    return "\n".join([*tries, "true"])
