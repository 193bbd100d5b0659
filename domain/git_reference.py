"""References to git repositories in Dockerfiles and on the command line.

The rules are BuildKit's (frontend/dockerfile/dfgitutil, ParseGitRef; util/gitutil, ParseURL).
"""

import re
from collections.abc import Mapping
from dataclasses import field, replace

from img.domain.dataclass import dataclass
from img.domain.errors import ImgError
from img.domain.filesystem import paths
from img.domain.go.booleans import parse_boolean
from img.domain.url import Url, is_query, query_values

_SCHEMES = frozenset({"http", "https", "ssh", "git"})
_SCP_STYLE = (
    r"(?P<user>[a-zA-Z0-9_-]+)@(?P<host>[a-zA-Z0-9.-]+):(?P<path>[^?#\n]*)"
    r"(?:\?(?P<query>[^#\n]*))?(?:#(?P<fragment>.*))?"
)
_HUB = "github.com/"
_COMMIT = r"[0-9a-f]{40}|[0-9a-f]{64}"
_MAY_BE_EMPTY = frozenset({"submodules", "keep-git-dir", "fetch-by-commit"})


class BadGitReference(ImgError):
    """A git reference with an invalid or contradictory part."""

    exit_code = 5


class NotGit(ImgError):
    """Text that is not a git reference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GitUrl:
    """The location of a repository, with the fragment ``#ref:directory``.

    ``subdir`` is clean: it never climbs out of the repository.
    """

    scheme: str
    host: str
    path: str
    user: str = ""  # name[:password], escaped where a URL needs it
    query: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    has_fragment: bool = False
    ref: str = ""
    subdir: str = ""
    remote: str  # the address for git

    @classmethod
    def parse(cls, text: str) -> "GitUrl":
        """Return the parts of ``text``. Raises NotGit."""
        if scheme := re.match(r"[a-zA-Z0-9]+(?=://)", text):
            if scheme[0].lower() not in _SCHEMES:
                raise NotGit(f"{scheme[0].lower()}: invalid protocol")
            url = Url.parse(text)
            if url is None:
                raise NotGit("invalid URL")
            return cls(
                scheme=url.scheme,
                host=url.host,
                path=url.path,
                user=url.user_written,
                query=query_values(url.query),
                remote=url.address,
            )._with_fragment(url.fragment)
        found = re.fullmatch(_SCP_STYLE, text)
        if found is None or not is_query(found["query"] or ""):
            raise NotGit("unknown protocol")
        return cls(
            scheme="ssh",
            host=found["host"],
            path=found["path"],
            user=found["user"],
            query=query_values(found["query"] or ""),
            remote=f"{found['user']}@{found['host']}:{found['path']}",
        )._with_fragment(found["fragment"])

    def _with_fragment(self, fragment: str | None) -> "GitUrl":
        ref, _, subdir = (fragment or "").partition(":")
        return replace(self, has_fragment=bool(fragment), ref=ref, subdir=paths.clean(subdir))


@dataclass(frozen=True, slots=True, kw_only=True)
class GitReference:
    """A repository, with a commit and a directory of it; None means "not given"."""

    remote: str
    ref: str = ""  # branch, tag or commit; "" is the remote's default branch
    subdir: str = ""
    checksum: str = ""  # the required commit of ``ref``, as hex, possibly short
    keep_git_dir: bool | None = None
    submodules: bool | None = None
    mtime: str = ""  # "commit": mtimes are the commit's time; else that of the checkout
    fetch_by_commit: bool = False
    like_a_path: bool = False  # github.com/… without a scheme
    unencrypted: bool = False

    @classmethod
    def parse(cls, text: str, *, known: bool = False) -> "GitReference":
        """Return the reference in ``text``. Raises NotGit, BadGitReference (git, but invalid).

        An http(s) URL is a repository if its path ends in ``.git``, or if it is ``known`` to be
        one.
        """
        if text.startswith(("./", "../")):
            raise NotGit("invalid argument")
        like_a_path = text.startswith(_HUB)
        url = GitUrl.parse(f"https://{text}" if like_a_path else text)
        web = url.scheme in {"http", "https"} and not like_a_path
        if web and not known and not url.path.endswith(".git"):
            raise NotGit("invalid argument")
        asked = _Query(url.query)
        return cls(
            remote=url.remote.removeprefix("https://") if like_a_path else url.remote,
            ref=_ref(url.ref, asked),
            subdir=asked.text("subdir", url.subdir),
            checksum=asked.checksum(),
            keep_git_dir=asked.flag("keep-git-dir"),
            submodules=asked.flag("submodules"),
            mtime=asked.mtime(),
            fetch_by_commit=asked.flag("fetch-by-commit") or False,
            like_a_path=like_a_path,
            unencrypted=url.scheme in {"http", "git"},
        )

    @property
    def short_name(self) -> str:
        """The last part of the repository's name."""
        return self.remote.rpartition("/")[2].removesuffix(".git")

    @property
    def address(self) -> str:
        """The address for git."""
        return f"https://{self.remote}" if self.like_a_path else self.remote

    @property
    def wanted(self) -> str:
        """The ref to fetch, or the commit if a full one is given."""
        if is_commit(self.checksum) and (self.fetch_by_commit or not self.ref):
            return self.checksum
        return self.ref


def is_git(text: str) -> bool:
    """Return whether ``text`` is a git reference, valid or not."""
    try:
        GitReference.parse(text)
    except NotGit:
        return False
    except BadGitReference:
        return True
    return True


def is_commit(text: str) -> bool:
    """Return whether ``text`` is a full commit hash (SHA-1 or SHA-256)."""
    return re.fullmatch(_COMMIT, text) is not None


class _Query:
    """The query of a git URL. All methods raise BadGitReference."""

    def __init__(self, values: Mapping[str, tuple[str, ...]]) -> None:
        known = _MAY_BE_EMPTY | {"ref", "tag", "branch", "subdir", "checksum", "commit", "mtime"}
        self._values: dict[str, str] = {}
        for name, (value, *others) in values.items():
            if not value and name not in _MAY_BE_EMPTY:
                raise BadGitReference(f'query "{name}" has no value')
            if others:
                raise BadGitReference(f'query "{name}" has multiple values')
            if name not in known:
                raise BadGitReference(f'unexpected query "{name}"')
            self._values[name] = value

    def text(self, name: str, before: str = "") -> str:
        """Return the value of ``name``; it must not differ from ``before``."""
        value = self._values.get(name, "")
        if before and value and before != value:
            raise BadGitReference(f'{name} conflicts: "{before}" vs "{value}"')
        return before or value

    def checksum(self) -> str:
        """Return the required commit of ``checksum`` or ``commit``, "" for none."""
        asked, commit = self.text("checksum"), self.text("commit")
        if asked and commit and asked != commit:
            raise BadGitReference(f'checksum conflicts: "{asked}" vs "{commit}"')
        return asked or commit

    def flag(self, name: str) -> bool | None:
        """Return a boolean, None if it is not given."""
        if name not in self._values:
            return None
        value = self._values[name]
        boolean = parse_boolean(value or "true")
        if boolean is None:
            raise BadGitReference(f'invalid {name} value: "{value}"')
        return boolean

    def mtime(self) -> str:
        """Return ``checkout``, ``commit`` or ""."""
        value = self._values.get("mtime", "")
        if value not in {"", "checkout", "commit"}:
            raise BadGitReference(
                f'invalid mtime value: "{value}" (must be "checkout" or "commit")'
            )
        return value


def _ref(fragment: str, asked: _Query) -> str:
    ref = asked.text("ref", fragment)
    tag, branch = asked.text("tag"), asked.text("branch")
    if tag and branch:
        raise BadGitReference("branch conflicts with tag")
    for name, prefix in ((tag, "refs/tags/"), (branch, "refs/heads/")):
        if name:
            full = prefix + name.removeprefix(prefix)
            if ref and ref != full:
                raise BadGitReference(f'ref conflicts: "{ref}" vs "{full}"')
            ref = full
    return ref
