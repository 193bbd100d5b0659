"""The system calls that a step may make.

The calls, the capabilities that some of them require and the checks of arguments are those of
Docker's default profile (github.com/moby/profiles, seccomp/default.json, June 2026). All other
calls fail.
"""

import errno
from collections.abc import Iterable
from functools import cache

from img.adapters.linux import call_numbers, capabilities
from img.adapters.syscall_supervisor import bpf
from img.adapters.syscall_supervisor.bpf import ALLOW, HasBits, IsOneOf, LacksBits, Machine, Rule

REFUSED = bpf.fail_with(errno.EPERM)
"""The result of calls that are not allowed, the same as with Docker."""

_MISSING = bpf.fail_with(errno.ENOSYS)

_ALWAYS = """
    _llseek _newselect accept accept4 access adjtimex alarm arch_prctl arm_fadvise64_64
    arm_sync_file_range bind breakpoint brk cacheflush cachestat capget capset chdir chmod chown
    chown32 clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime
    clock_gettime64 clock_nanosleep clock_nanosleep_time64 close close_range connect
    copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_ctl_old
    epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 execve execveat exit
    exit_group faccessat faccessat2 fadvise64 fadvise64_64 fallocate fanotify_mark fchdir fchmod
    fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr flistxattr
    flock fork fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate
    ftruncate64 futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake futimesat
    get_robust_list get_thread_area getcpu getcwd getdents getdents64 getegid getegid32 geteuid
    geteuid32 getgid getgid32 getgroups getgroups32 getitimer getpeername getpgid getpgrp getpid
    getppid getpriority getrandom getresgid getresgid32 getresuid getresuid32 getrlimit
    getrusage getsid getsockname getsockopt gettid gettimeofday getuid getuid32 getxattr
    getxattrat inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel
    io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit ioctl
    ioprio_get ioprio_set ipc kill landlock_add_rule landlock_create_ruleset
    landlock_restrict_self lchown lchown32 lgetxattr link linkat listen listmount listxattr
    listxattrat llistxattr lremovexattr lseek lsetxattr lstat lstat64 madvise map_shadow_stack
    membarrier memfd_create memfd_secret mincore mkdir mkdirat mknod mknodat mlock mlock2
    mlockall mmap mmap2 modify_ldt mprotect mq_getsetattr mq_notify mq_open mq_timedreceive
    mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink mremap mseal msgctl msgget
    msgrcv msgsnd msync munlock munlockall munmap name_to_handle_at nanosleep newfstatat open
    openat openat2 pause pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc pkey_free
    pkey_mprotect poll ppoll ppoll_time64 prctl pread64 preadv preadv2 prlimit64
    process_mrelease process_vm_readv process_vm_writev pselect6 pselect6_time64 ptrace pwrite64
    pwritev pwritev2 read readahead readlink readlinkat readv recv recvfrom recvmmsg
    recvmmsg_time64 recvmsg remap_file_pages removexattr removexattrat rename renameat renameat2
    restart_syscall rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo
    rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo
    sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam
    sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity
    sched_setattr sched_setparam sched_setscheduler sched_yield seccomp select semctl semget
    semop semtimedop semtimedop_time64 send sendfile sendfile64 sendmmsg sendmsg sendto
    set_robust_list set_thread_area set_tid_address set_tls setfsgid setfsgid32 setfsuid
    setfsuid32 setgid setgid32 setgroups setgroups32 setitimer setpgid setpriority setregid
    setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 setrlimit setsid
    setsockopt setuid setuid32 setxattr setxattrat shmat shmctl shmdt shmget shutdown
    sigaltstack signalfd signalfd4 sigprocmask sigreturn socketcall socketpair splice stat
    stat64 statfs statfs64 statmount statx symlink symlinkat sync sync_file_range syncfs sysinfo
    tee tgkill time timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64
    timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64
    timerfd_settime timerfd_settime64 times tkill truncate truncate64 ugetrlimit umask uname
    unlink unlinkat uretprobe utime utimensat utimensat_time64 utimes vfork vmsplice wait4
    waitid waitpid write writev
"""

_WITH_CAPABILITY = {
    "bpf": "bpf",
    "dac_read_search": "open_by_handle_at",
    "perfmon": "perf_event_open",
    "sys_admin": """
        bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie
        lsm_get_self_attr lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount
        open_tree perf_event_open quotactl quotactl_fd setdomainname sethostname setns syslog
        umount umount2 unshare
    """,
    "sys_boot": "reboot",
    "sys_chroot": "chroot",
    "sys_module": "delete_module finit_module init_module",
    "sys_nice": "get_mempolicy mbind set_mempolicy set_mempolicy_home_node",
    "sys_pacct": "acct",
    "sys_ptrace": "kcmp pidfd_getfd process_madvise",
    "sys_rawio": "ioperm iopl",
    "sys_time": "clock_settime clock_settime64 settimeofday stime",
    "sys_tty_config": "vhangup",
    "syslog": "syslog",
}

# The calls for a nested user namespace, in which a process has all capabilities.
_IN_USER_NAMESPACE = """
    chroot fsconfig fsmount fsopen fspick mount mount_setattr move_mount open_tree pivot_root
    setdomainname sethostname setns umount umount2
"""

# Newer than the profile: libseccomp and runc answer ENOSYS for calls that they do not know.
_LATER = "open_tree_attr file_getattr file_setattr listns rseq_slice_yield"

RUNTIME_CALLS = frozenset(
    """
    bpf chroot clone fsconfig fsmount fsopen fspick keyctl mount mount_setattr move_mount open_tree
    pivot_root setdomainname sethostname setns umount umount2 unshare
    """.split()  # noqa: SIM905 (as above)
)
"""The calls with which a container runtime makes a container; all others it makes as a step may."""

# The calls of RUNTIME_CALLS that are newer than some versions of libseccomp (open_tree(2) and its
# kind: 2.4.2, mount_setattr(2): 2.5.2). Runtimes leave a name that theirs does not know out of the
# step's filter, without a word, and do without these calls on kernels that lack them.
_NOT_EVERYWHERE = frozenset(
    "fsconfig fsmount fsopen fspick mount_setattr move_mount open_tree".split()  # noqa: SIM905
)

_CLONE_NEWCGROUP = 0x0200_0000
_CLONE_NEW = 0x7E02_0000  # all CLONE_NEW* flags of clone(2)
_FAMILIES = 46  # AF_MAX (linux/socket.h)
_AF_ALG, _AF_VSOCK = 38, 40
_LINUX32, _UNAME26, _QUERY = 0x8, 0x2_0000, 0xFFFF_FFFF  # linux/personality.h


def rules_for(allowed: int, *, userns: bool = False) -> tuple[Rule, ...]:
    """Return the rules for a step with the capabilities ``allowed``, a bit mask.

    Calls without a rule are to be REFUSED. ``userns``: the step may make user namespaces, and all
    other namespaces in them except for control groups, which would show it the host's groups.
    """
    names = set(_ALWAYS.split())
    for capability, calls in _WITH_CAPABILITY.items():
        if allowed & capabilities.mask_of(capability):
            names |= set(calls.split())
    if userns:
        names |= set(_IN_USER_NAMESPACE.split())
    conditional = [*_conditional_rules()]
    if "clone" not in names:
        conditional += _clone_rules(userns=userns)
    return (*conditional, *(Rule(call, ALLOW) for call in sorted(names)))


def before(own: Iterable[Rule], allowed: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """Return the rules ``allowed`` with ``own`` first, as far as ``own`` is about allowed calls.

    Calls that ``allowed`` refuses because of their arguments stay refused.
    """
    calls = {rule.call for rule in allowed if rule.action == ALLOW}
    return (
        *(rule for rule in allowed if rule.action != ALLOW),
        *(rule for rule in own if rule.call in calls),
        *(rule for rule in allowed if rule.action == ALLOW),
    )


def filter_program(
    machine: Machine, allowed: int, *, userns: bool = False, of_runtime: bool = False
) -> bytes:
    """Return the filter of a step with the capabilities ``allowed``.

    ``of_runtime``: of a container runtime that starts the step; the filter allows those of
    RUNTIME_CALLS that every libseccomp knows, so that the runtime can refuse them to the step. The
    others fail with ENOSYS, unless the step may make them.
    """
    return _program(machine, relevant(allowed), userns=userns, of_runtime=of_runtime)


@cache
def _program(machine: Machine, allowed: int, *, userns: bool, of_runtime: bool) -> bytes:
    rules = rules_for(allowed, userns=userns)
    if of_runtime:
        known = RUNTIME_CALLS - _NOT_EVERYWHERE
        others = (rule for rule in rules if rule.call not in known)
        rules = (
            *others,
            *(Rule(call, ALLOW) for call in sorted(known)),
            *(Rule(call, _MISSING) for call in sorted(_NOT_EVERYWHERE)),
        )
    return bpf.program(machine, rules, otherwise=REFUSED)


def relevant(allowed: int) -> int:
    """Return the capabilities of ``allowed`` that calls require: filters differ only in those."""
    return allowed & _relevant()


@cache
def _relevant() -> int:
    return capabilities.mask_of(*_WITH_CAPABILITY)


def refused_calls(rules: Iterable[Rule]) -> list[str]:
    """Return the names of all calls without a rule in ``rules``."""
    ruled = {rule.call for rule in rules}
    tables = (call_numbers.X86_64, call_numbers.I386, call_numbers.AARCH64, call_numbers.ARM)
    return sorted({name for table in tables for name in table} - ruled)


def _conditional_rules() -> Iterable[Rule]:
    yield from (Rule(call, _MISSING) for call in _LATER.split())
    refused = (_AF_ALG, _AF_VSOCK)
    others = tuple(family for family in range(_FAMILIES) if family not in refused)
    yield Rule("socket", REFUSED, (IsOneOf(0, refused),))
    yield Rule("socket", ALLOW, (IsOneOf(0, others),))
    personalities = (0, _LINUX32, _UNAME26, _LINUX32 | _UNAME26, _QUERY)
    yield Rule("personality", ALLOW, (IsOneOf(0, personalities),))


def _clone_rules(*, userns: bool) -> Iterable[Rule]:
    refused = _CLONE_NEWCGROUP if userns else _CLONE_NEW
    yield Rule("clone", REFUSED, (HasBits(0, refused),))
    yield Rule("clone", ALLOW, (LacksBits(0, refused),))
    yield Rule("clone3", _MISSING)  # its flags are in memory: C libraries fall back to clone(2)
    if userns:
        yield Rule("unshare", REFUSED, (HasBits(0, refused),))
        yield Rule("unshare", ALLOW, (LacksBits(0, refused),))
