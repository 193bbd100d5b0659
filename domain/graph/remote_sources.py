"""Remote sources of ADD: URLs and git repositories."""

from typing import TypeVar

from img.domain.digest import Digest, InvalidDigest
from img.domain.dockerfile.instructions import Add
from img.domain.errors import DockerfileError
from img.domain.filesystem import paths
from img.domain.filesystem.file_name import FileName, InvalidFileName
from img.domain.git_reference import BadGitReference, GitReference, NotGit
from img.domain.git_reference import is_git as is_git_reference
from img.domain.graph.operations import FetchGit, FetchUrl
from img.domain.url import Url, redact_credentials

_Said = TypeVar("_Said", str | None, bool | None)
_UNNAMED = FileName("__unnamed__")  # BuildKit's file name for a URL without one
_HUB = "github.com/"  # without a scheme: a repository as a context, but a path in ADD


def is_git(source: str) -> bool:
    """Return whether ``source`` is a git repository; github.com/… without a scheme is a path."""
    return not source.startswith(_HUB) and is_git_reference(source)


def is_url(source: str) -> bool:
    """Return whether ``source`` is a file to download."""
    return source.startswith(("http://", "https://")) and not is_git(source)


def fetch_url(source: str, add: Add, checksum: str) -> FetchUrl:
    """Return the download of ``source``. Raises DockerfileError."""
    try:
        digest = Digest.parse(checksum) if checksum else None
    except InvalidDigest as error:
        raise DockerfileError(error.message, lines=add.lines) from None
    return FetchUrl(url=source, filename=_file_name(source, add), checksum=digest)


def _file_name(source: str, add: Add) -> FileName:
    """Return the last part of the URL's path (Go path.Base, as in BuildKit)."""
    url = Url.parse(source)
    name = url.file_name if url else ""
    if name in ("", "."):
        return _UNNAMED
    try:
        return FileName(name)
    except InvalidFileName as error:
        raise DockerfileError(
            f"{redact_credentials(source)}: {error.message}",
            lines=add.lines,
            hint="a file is called by the last part of its URL",
        ) from None


def fetch_git(source: str, add: Add, checksum: str) -> FetchGit:
    """Return the checkout of ``source``; its query or fragment selects the commit and directory.

    Raises DockerfileError.
    """
    try:
        reference = GitReference.parse(source, known=True)
    except (BadGitReference, NotGit) as error:
        raise DockerfileError(error.message, lines=add.lines) from None
    keep = _agreed("keep-git-dir", add, reference.keep_git_dir, add.keep_git_dir)
    return checkout_of(
        reference,
        keep_git_dir=keep or False,
        checksum=_agreed("checksum", add, reference.checksum or None, checksum or None) or "",
    )


def checkout_of(
    reference: GitReference, *, keep_git_dir: bool = False, checksum: str = ""
) -> FetchGit:
    """Return the checkout that ``reference`` names."""
    return FetchGit(
        remote=reference.address,
        ref=reference.wanted,
        subdir=paths.clean(reference.subdir),
        checksum=checksum or reference.checksum,
        keep_git_dir=keep_git_dir or reference.keep_git_dir or False,
        submodules=reference.submodules is not False,
        commit_mtime=reference.mtime == "commit",
    )


def _agreed(what: str, add: Add, asked: _Said, flag: _Said) -> _Said:
    if asked is not None and flag is not None and asked != flag:
        shown, wanted = (str(each).lower() for each in (flag, asked))
        raise DockerfileError(f'{what} mismatch "{shown}" != "{wanted}"', lines=add.lines)
    return flag if asked is None else asked
