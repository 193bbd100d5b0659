"""Numbers of system calls, by architecture (the kernel's syscall tables).

Only what filters speak of. A call that is missing in a table does not exist there.
"""

from collections.abc import Mapping

_X86_64 = """
    open 2  stat 4  fstat 5  lstat 6  access 21  getsockopt 55  execve 59  kill 62  truncate 76
    chdir 80  rename 82  mkdir 83  rmdir 84  creat 85  link 86  unlink 87  symlink 88  readlink 89
    chmod 90  fchmod 91  chown 92  fchown 93  lchown 94  getrlimit 97  ptrace 101  getuid 102
    syslog 103  getgid 104  setuid 105  setgid 106  geteuid 107  getegid 108  setreuid 113
    setregid 114  getgroups 115  setgroups 116  setresuid 117  getresuid 118  setresgid 119
    getresgid 120  setfsuid 122  setfsgid 123  rt_sigqueueinfo 129  mknod 133  uselib 134
    statfs 137  sysfs 139  prctl 157  setrlimit 160  chroot 161  acct 163  swapon 167  swapoff 168
    reboot 169  iopl 172  ioperm 173  init_module 175  delete_module 176  quotactl 179  setxattr 188
    lsetxattr 189  fsetxattr 190  getxattr 191  lgetxattr 192  listxattr 194  llistxattr 195
    removexattr 197  lremovexattr 198  fremovexattr 199  tkill 200  lookup_dcookie 212  tgkill 234
    kexec_load 246  add_key 248  request_key 249  keyctl 250  openat 257  mkdirat 258  mknodat 259
    fchownat 260  newfstatat 262  unlinkat 263  renameat 264  linkat 265  symlinkat 266
    readlinkat 267  fchmodat 268  faccessat 269  unshare 272  rt_tgsigqueueinfo 297
    perf_event_open 298  prlimit64 302  name_to_handle_at 303  open_by_handle_at 304  setns 308
    process_vm_readv 310  process_vm_writev 311  kcmp 312  finit_module 313  renameat2 316
    kexec_file_load 320  bpf 321  execveat 322  userfaultfd 323  statx 332
"""
_GENERIC = """
    setxattr 5  lsetxattr 6  fsetxattr 7  getxattr 8  lgetxattr 9  listxattr 11  llistxattr 12
    removexattr 14  lremovexattr 15  fremovexattr 16  lookup_dcookie 18  mknodat 33  mkdirat 34
    unlinkat 35  symlinkat 36  linkat 37  renameat 38  statfs 43  truncate 45  faccessat 48
    chdir 49  chroot 51  fchmod 52  fchmodat 53  fchownat 54  fchown 55  openat 56  quotactl 60
    readlinkat 78  newfstatat 79  fstat 80  acct 89  unshare 97  kexec_load 104  init_module 105
    delete_module 106  syslog 116  ptrace 117  kill 129  tkill 130  tgkill 131  rt_sigqueueinfo 138
    reboot 142  setregid 143  setgid 144  setreuid 145  setuid 146  setresuid 147  getresuid 148
    setresgid 149  getresgid 150  setfsuid 151  setfsgid 152  getgroups 158  setgroups 159
    getrlimit 163  setrlimit 164  prctl 167  getuid 174  geteuid 175  getgid 176  getegid 177
    getsockopt 209  add_key 217  request_key 218  keyctl 219  execve 221  swapon 224  swapoff 225
    rt_tgsigqueueinfo 240  perf_event_open 241  prlimit64 261  name_to_handle_at 264
    open_by_handle_at 265  setns 268  process_vm_readv 270  process_vm_writev 271  kcmp 272
    finit_module 273  renameat2 276  bpf 280  execveat 281  userfaultfd 282  statx 291
    kexec_file_load 294
"""
_I386 = """
    ptrace 26  kill 37  acct 51  uselib 86  swapon 87  reboot 88  ioperm 101  syslog 103  iopl 110
    swapoff 115  init_module 128  delete_module 129  quotactl 131  sysfs 135  rt_sigqueueinfo 178
    tkill 238  lookup_dcookie 253  tgkill 270  kexec_load 283  add_key 286  request_key 287
    keyctl 288  rt_tgsigqueueinfo 335  perf_event_open 336  prlimit64 340  open_by_handle_at 342
    process_vm_readv 347  process_vm_writev 348  kcmp 349  finit_module 350  bpf 357
    userfaultfd 374
"""
_ARM = """
    ptrace 26  kill 37  acct 51  uselib 86  swapon 87  reboot 88  syslog 103  swapoff 115
    init_module 128  delete_module 129  quotactl 131  sysfs 135  rt_sigqueueinfo 178  tkill 238
    lookup_dcookie 249  tgkill 268  add_key 309  request_key 310  keyctl 311  kexec_load 347
    rt_tgsigqueueinfo 363  perf_event_open 364  prlimit64 369  open_by_handle_at 371
    process_vm_readv 376  process_vm_writev 377  kcmp 378  finit_module 379  bpf 386
    userfaultfd 388  kexec_file_load 401
"""
# From 424 on all architectures count alike (asm-generic/unistd.h).
_EVERYWHERE = """
    io_uring_setup 425  io_uring_enter 426  io_uring_register 427  pidfd_open 434  clone3 435
    openat2 437  faccessat2 439  fchmodat2 452  setxattrat 463  getxattrat 464  listxattrat 465
    removexattrat 466  file_getattr 468  file_setattr 469
"""


def _table(text: str) -> Mapping[str, int]:
    words = f"{text} {_EVERYWHERE}".split()
    return dict(zip(words[::2], map(int, words[1::2]), strict=True))


X86_64 = _table(_X86_64)
AARCH64 = _table(_GENERIC)
I386 = _table(_I386)
ARM = _table(_ARM)
