"""A summary of the tests that a run skipped, with the command that brings what they need."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

# The Debian packages of the programs that tests look for; .ci/run installs all of them.
PACKAGES = {
    "buildah": "buildah",
    "busybox": "busybox-static",
    "chromium-headless-shell": "chromium-headless-shell",
    "crun": "crun",
    "debootstrap": "debootstrap",
    "docker": "docker.io",
    "docker-registry": "docker-registry",
    "dockerd": "docker.io",
    "fuse-overlayfs": "fuse-overlayfs",
    "git": "git",
    "iptables": "iptables",
    "mke2fs": "e2fsprogs",
    "munged": "munge",
    "newuidmap": "uidmap",
    "oci-image-tool": "oci-image-tool",
    "openssl": "openssl",
    "podman": "podman",
    "proot": "proot",
    "runc": "runc",
    "siftool": "siftool",
    "skopeo": "skopeo",
    "slirp4netns": "slirp4netns",
    "sbatch": "slurm-client",
    "sinfo": "slurm-client",
    "slurmctld": "slurmctld",
    "slurmd": "slurmd",
    "squeue": "slurm-client",
    "strace": "strace",
    "umoci": "umoci",
    "unsquashfs": "squashfs-tools",
    "xz": "xz-utils",
    "zstd": "zstd",
}
_NO_PROGRAM = re.compile(r"(?:no (?P<no>[\w.-]+)|(?P<is>[\w.-]+) is not installed)( \(.*\))?")
_MOST = 3  # other reasons that are shown


def summary(reasons: Iterable[str]) -> Sequence[str]:
    """Return at most three lines about skipped tests; ``reasons`` has one text for each of them."""
    packages: Counter[str] = Counter()
    others: Counter[str] = Counter()
    for reason in reasons:
        package = _package_of(reason)
        if package:
            packages[package] += 1
        else:
            others[" ".join(reason.split())[:70]] += 1
    return [*_of_packages(packages), *_of_others(others)]


def _package_of(reason: str) -> str | None:
    found = _NO_PROGRAM.fullmatch(reason)
    return PACKAGES.get(found["no"] or found["is"]) if found else None


def _of_packages(packages: Counter[str]) -> list[str]:
    if not packages:
        return []
    counts = ", ".join(f"{name} ({count})" for name, count in packages.most_common())
    install = f"apt-get install --no-install-recommends {' '.join(sorted(packages))}"
    return [
        f"{packages.total()} tests were skipped because programs are missing: {counts}",
        f"to run them on Debian or Ubuntu, as root: {install}",
    ]


def _of_others(others: Counter[str]) -> list[str]:
    if not others:
        return []
    shown = "; ".join(f"{reason} ({count})" for reason, count in others.most_common(_MOST))
    rest = others.total() - sum(count for _, count in others.most_common(_MOST))
    more = f"; other reasons ({rest})" if rest else ""
    count = f"{others.total()} tests were skipped for other reasons (pytest -rs shows all)"
    return [f"{count}: {shown}{more}"]
