"""Shell commands of generated RUN instructions, which change files of /w."""

from random import Random

PLACES = ("/w", "/w/d", "/w/d/sub", "/w/new", "/w/e")
_NAMES = ("a", "b.txt", "c", "x", "'with space'", "ümlaut", ".hidden", "l", "n")
_OWNERS = ("33:50", "1000:1000", "0:8", "www-data", "nobody:users", "5", ":50")
_MODES = ("600", "755", "4755", "2755", "1777", "000", "u+x,go-r", "g+s", "a=r", "700")
_TARGETS = ("a", "../a", "/w/d", "nowhere", "d", "/w/new", "..", "/etc/passwd")


def commands(random: Random, devices: bool) -> str:
    """Return some commands; what cannot be done is passed over by all alike."""
    count = random.choice((1, 2, 3, 5))
    return "; ".join(
        [f"mkdir -p {random.choice(PLACES)}", *(_one(random, devices) for _ in range(count))]
    )


def looking(random: Random, new: bool) -> str:
    """Return a command that writes to a file what the step sees."""
    who = "id" if new else "id -u; id -g"  # groups of a user are newer than 2020
    return random.choice(
        (
            "find /w ! -type d -exec stat -c '%n|%F|%a|%u:%g|%s|%t:%T' {} + | sort > /seen",
            "find /w -exec stat -c '%n|%F|%a|%U:%G' {} + | sort > /seen",
            "find /bin /home /tmp /usr /var /w /x /new -type l 2>&1 | sort > /links",
            "env | grep -e '^[ABCGO]=' -e ^PATH= -e ^HOME= -e ^PWD= | sort > /env",
            f"({who}; pwd; umask; echo $HOME) > /me",
            "for f in /w/* /w/*/*; do test -f $f && cat $f; done > /content 2>/dev/null",
        )
    )


def _one(random: Random, devices: bool) -> str:
    one, two = (f"{random.choice(PLACES)}/{random.choice(_NAMES)}" for _ in "12")
    place = random.choice(PLACES)
    number = random.randrange(100)
    is_fifo = f"test -p {one}"  # a command that opens a FIFO would wait for ever
    return random.choice(
        (
            f"{is_fifo} || echo {number} > {one}",
            f"{is_fifo} || echo {number} > {one}",
            # A kernel clears set-user-ID bits for a user's root, and not for root's.
            f"chmod 644 {one}; {is_fifo} || echo {number} >> {one}",
            f"mv {one} {two}",
            f"mv {place} /w/moved",
            f"ln {one} {two}",
            f"ln {one} {two}",
            f"ln -s {random.choice(_TARGETS)} {one}",
            f"ln -sf {random.choice(_TARGETS)} {two}",
            f"chmod {random.choice(_MODES)} {one}",
            f"chmod {random.choice(_MODES)} {place}",
            f"chown {random.choice(_OWNERS)} {one}",
            f"chown -R {random.choice(_OWNERS)} {place}",
            f"chown -h {random.choice(_OWNERS)} {one}",
            f"rm -rf {one}",
            f"rm -rf {place}",
            f"rm -rf {place}; mkdir {place}; echo {number} > {place}/x",
            f"rm -f {one}; mkdir -p {one}",
            f"rm -rf {place}; echo {number} > {place}",
            f"find /w/copy -type p | grep -q . || cp -a {place} /w/copy",
            f"test -p {two} || cp -a {one} {two}",
            f"{is_fifo} || cp {one} {one}.new; mv {one}.new {one}",
            f"mkfifo {one}",
            f"mknod -m 640 {one} {random.choice('bc')} 7 {number}" if devices else f"mkfifo {two}",
            f"{is_fifo} || truncate -s {number}k {one}",
            f"mkdir -m {random.choice(('700', '1777', '2775', '755'))} {one}",
            f"tar -C {place} -cf - . | tar -C /w -xpf -",
            f"{is_fifo} || sed -i s/1/2/ {one}",
            f"umask 027; {is_fifo} || echo {number} > {one}; umask 022",
            f"touch {one}; chmod 4755 {one}; chown 33 {one}",
            f"rm -rf /tmp/t; cp -a {place} /tmp/t; rm -rf /tmp/t",
            f"chmod {random.choice(('1777', '755', '700'))} /tmp; echo {number} > /tmp/left",
            f"addgroup -g {1000 + number} crew; adduser -D -H -u {1000 + number} -G crew worker",
        )
    )
