"""Sources of ADD that are not files: URLs, and git repositories.

Which is which, and how a git source is spelt, is BuildKit's dfgitutil.ParseGitRef.
"""

import re
from collections.abc import Iterator

from img.domain.digest import Digest, InvalidDigest
from img.domain.dockerfile.instructions import Add
from img.domain.errors import DockerfileError
from img.domain.graph.operations import FetchGit, FetchUrl

_SCP_STYLE = re.compile(r"[a-zA-Z0-9_-]+@[a-zA-Z0-9.-]+:.*", re.DOTALL)
_UNNAMED = "__unnamed__"  # BuildKit's name of a file whose URL has none


def is_git(source: str) -> bool:
    """Tell whether ``source`` is a git repository; github.com/… without scheme is a path."""
    address = source.partition("#")[0].partition("?")[0]
    if source.startswith(("http://", "https://")):
        return address.endswith(".git")
    return source.startswith(("git://", "ssh://")) or bool(_SCP_STYLE.fullmatch(source))


def is_url(source: str) -> bool:
    """Tell whether ``source`` is a file to download."""
    return source.startswith(("http://", "https://")) and not is_git(source)


def fetch_url(source: str, add: Add, checksum: str) -> FetchUrl:
    """Return the download of ``source``. Raises DockerfileError."""
    try:
        digest = Digest.parse(checksum) if checksum else None
    except InvalidDigest as error:
        raise DockerfileError(error.message, lines=add.lines) from None
    return FetchUrl(url=source, filename=_file_name(source), checksum=digest)


def fetch_git(source: str, add: Add, checksum: str) -> FetchGit:
    """Return the checkout of ``source``, whose query or fragment tells what of it.

    Raises DockerfileError.
    """
    try:
        return _fetch_git(source, add, checksum)
    except DockerfileError as error:
        raise DockerfileError(error.message, lines=add.lines) from None


def _fetch_git(source: str, add: Add, checksum: str) -> FetchGit:
    remote, _, fragment = source.partition("#")
    remote, _, query = remote.partition("?")
    ref, _, subdir = fragment.partition(":")
    asked = _query(query)
    keep = _agreed("keep-git-dir", asked.pop("keep-git-dir", None), _flag(add.keep_git_dir))
    return FetchGit(
        remote=remote,
        ref=_ref(asked, ref),
        subdir=asked.pop("subdir", subdir).strip("/"),
        checksum=_agreed("checksum", asked.pop("checksum", None), checksum or None) or "",
        keep_git_dir=keep == "true",
        submodules=asked.pop("submodules", "true") == "true",
    )


_FLAGS = frozenset({"keep-git-dir", "submodules"})
_KNOWN = frozenset({"ref", "tag", "branch", "subdir", "checksum", "commit"}) | _FLAGS


def _query(query: str) -> dict[str, str]:
    asked: dict[str, str] = {}
    for part in query.split("&") if query else ():
        name, _, written = part.partition("=")
        if name not in _KNOWN:
            raise DockerfileError(f'unexpected query "{name}"')
        key = "checksum" if name == "commit" else name
        value = _boolean(name, written) if name in _FLAGS else _unescaped(written)
        if asked.setdefault(key, value) != value:
            raise DockerfileError(f'{key} conflicts: "{asked[key]}" vs "{value}"')
    return asked


def _boolean(name: str, value: str) -> str:
    if value.lower() in {"", "1", "t", "true"}:
        return "true"
    if value.lower() in {"0", "f", "false"}:
        return "false"
    raise DockerfileError(f'invalid {name} value: "{value}"')


def _ref(asked: dict[str, str], fragment: str) -> str:
    found = dict(_refs(asked, fragment))
    if len(set(found.values())) > 1:
        texts = " vs ".join(f'"{ref}"' for ref in found.values())
        raise DockerfileError(f"{' conflicts with '.join(found)}: {texts}")
    return next(iter(found.values()), "")


def _refs(asked: dict[str, str], fragment: str) -> Iterator[tuple[str, str]]:
    if fragment:
        yield "fragment", fragment
    if ref := asked.pop("ref", ""):
        yield "ref", ref
    if tag := asked.pop("tag", ""):
        yield "tag", f"refs/tags/{tag}"
    if branch := asked.pop("branch", ""):
        yield "branch", f"refs/heads/{branch}"


def _agreed(what: str, asked: str | None, flag: str | None) -> str | None:
    if asked is not None and flag is not None and asked != flag:
        raise DockerfileError(f'{what} mismatch "{flag}" != "{asked}"')
    return flag if asked is None else asked


def _flag(value: bool | None) -> str | None:
    return None if value is None else str(value).lower()


def _unescaped(text: str) -> str:
    """Return ``text`` of a URL without its ``%20`` (RFC 3986, "Percent-Encoding")."""
    parts = re.split(r"((?:%[0-9a-fA-F]{2})+)", text)
    for at in range(1, len(parts), 2):
        parts[at] = bytes.fromhex(parts[at].replace("%", "")).decode(errors="replace")
    return "".join(parts)


def _file_name(url: str) -> str:
    """Return the last part of the URL's path."""
    address = url.partition("#")[0].partition("?")[0].partition("://")[2]
    path = _unescaped(address.partition("/")[2]).rstrip("/")
    return path.rpartition("/")[2] or _UNNAMED
