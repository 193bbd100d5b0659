"""The places in /proc that paths lead to, decided by the text of the path alone.

Links of a process (its root, its open files) are special: the rest of the path after one is a path
in the step's root, and no ".." there leads back.
"""

from collections.abc import Mapping, Sequence

from img.domain.dataclass import dataclass

# Links to /proc that every root file system has; if they lead elsewhere, programs do not use them
# to find /proc.
_KNOWN_LINKS: Mapping[tuple[bytes, ...], tuple[bytes, ...]] = {
    (b"dev", b"fd"): (b"proc", b"self", b"fd"),
    (b"dev", b"stdin"): (b"proc", b"self", b"fd", b"0"),
    (b"dev", b"stdout"): (b"proc", b"self", b"fd", b"1"),
    (b"dev", b"stderr"): (b"proc", b"self", b"fd", b"2"),
    (b"etc", b"mtab"): (b"proc", b"self", b"mounts"),
}
_LEADING_OUT = (b"cwd", b"root", b"exe")
_DIRECTORIES_OF_LINKS = (b"fd", b"ns", b"map_files")
_TO_OWN = (b"mounts", b"net")  # /proc/mounts is a link to self/mounts


@dataclass(frozen=True, slots=True)
class Place:
    """A place in /proc."""

    process: int | None  # the process that it belongs to; None: the whole machine
    path: bytes  # below /proc or /proc/PID, "" is that directory itself
    link: bool = False  # ``path`` is a link of a process, which is to be followed
    rest: bytes = b""  # the rest of the path after the link
    device: bytes = b""  # the name of a device in /dev, which is outside of /proc

    @property
    def whole(self) -> bytes:
        """Return the path below /proc, "" for that directory itself."""
        if self.process is None:
            return self.path
        return b"%d/%s" % (self.process, self.path) if self.path else b"%d" % self.process


def is_in_dev(text: bytes, name: bytes) -> bool:
    """Tell whether a path from the root names the file ``name`` in /dev, by its text alone."""
    return text == b"/dev/" + name or _parts(text) == [b"dev", name]


def may_lead_to_proc(text: bytes) -> bool:
    """Tell, with a quick test, whether a path from the root may lead to /proc."""
    return b"proc" in text or text.startswith(b"/dev/") or text == b"/etc/mtab"


def place_of(text: bytes, process: int, thread: int, *, follow: bool) -> Place | None:
    """Return the place of ``text``, a path from the root, for a caller; None outside of /proc.

    ``follow`` a link at the end of the path.
    """
    follow = follow or text.endswith(b"/")
    todo = _without_known_links(text, follow=follow)[::-1]
    done: list[bytes] = []
    while todo:
        part = todo.pop()
        if part == b"..":
            del done[-1:]
            continue
        done.append(part)
        if done[0] != b"proc":
            continue
        if len(done) == 2 and (todo or follow):
            done[1:] = _without_own_link(done[1], process, thread)
        if (todo or follow) and _is_link_of_process(done[1:]):
            return _place(done[1:], link=True, rest=b"/".join(todo[::-1]))
    return _place(done[1:]) if done[:1] == [b"proc"] else None


def _parts(text: bytes) -> list[bytes]:
    return [part for part in text.split(b"/") if part not in (b"", b".")]


def _without_known_links(text: bytes, *, follow: bool) -> list[bytes]:
    parts = _parts(text)
    target = _KNOWN_LINKS.get(tuple(parts[:2])) if follow or len(parts) > 2 else None
    return [*target, *parts[2:]] if target else parts


def _without_own_link(name: bytes, process: int, thread: int) -> Sequence[bytes]:
    if name == b"self":
        return (b"%d" % process,)
    if name == b"thread-self":
        return (b"%d" % process, b"task", b"%d" % thread)
    return (b"%d" % process, name) if name in _TO_OWN else (name,)


def _is_link_of_process(parts: Sequence[bytes]) -> bool:
    inside = parts[3:] if parts[1:2] == [b"task"] else parts[1:]
    if not (parts and parts[0].isdigit()):
        return False
    if len(inside) == 1:
        return inside[0] in _LEADING_OUT
    return len(inside) == 2 and inside[0] in _DIRECTORIES_OF_LINKS


def _place(parts: Sequence[bytes], *, link: bool = False, rest: bytes = b"") -> Place:
    if parts and parts[0].isdigit():
        return Place(int(parts[0]), b"/".join(parts[1:]), link, rest)
    return Place(None, b"/".join(parts), link, rest)
