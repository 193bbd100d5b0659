"""Build contexts by kaniko's locations (pkg/buildcontext)."""

import posixpath
import re
from collections.abc import Mapping, Sequence

from img.domain.dataclass import dataclass
from img.domain.errors import UsageError
from img.domain.git_reference import is_commit
from img.domain.go.booleans import parse_boolean
from img.domain.kaniko.command_line import Given
from img.domain.url import escaped_user

_AZURE = (
    r"https://(?P<account>[a-z0-9]{3,24})\.blob\."
    r"(?:core\.windows\.net|core\.chinacloudapi\.cn|core\.cloudapi\.de|core\.usgovcloudapi\.net)/"
    r"(?P<container>[^/?#]+)/(?P<key>[^?#]+)"
)
_PREFIXES = "gs://, dir://, tar://, s3://, git:// and https://"


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryPlace:
    """A directory."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivePlace:
    """A tar file of this machine; ``path`` "" is standard input."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemotePlace:
    """A git repository or an archive of a web server, as a location of ``img build``."""

    location: str
    is_git: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectPlace:
    """A tar file in an object store: ``kind`` is s3, gs or azblob.

    ``access`` are settings by the names of caches in object stores (docs/caching.md).
    """

    kind: str
    bucket: str
    key: str
    access: Mapping[str, str]


ContextPlace = DirectoryPlace | ArchivePlace | RemotePlace | ObjectPlace


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """A build context, and the directory in it to build from."""

    place: ContextPlace
    sub_path: str = ""


def context_of(given: Given, environment: Mapping[str, str]) -> Context:
    """Return the context of a command line. Raises UsageError."""
    location, bucket = given.text("context"), given.text("bucket")
    sub_path = posixpath.normpath(f"/{given.text('context-sub-path')}").strip("/")
    if bucket and (not location or "://" in location):  # a directory has precedence
        location = bucket if "://" in bucket else f"gs://{bucket}"
    if not location:
        raise UsageError(
            "please specify a path to the build context with the --context flag"
            " or a bucket with the --bucket flag"
        )
    scheme, separator, rest = location.partition("://")
    if not separator:
        return Context(place=DirectoryPlace(path=location))  # kaniko takes no sub path of it
    match scheme:
        case "dir":
            return Context(place=DirectoryPlace(path=rest), sub_path=sub_path)
        case "tar":
            path = "" if rest == "stdin" else rest
            return Context(place=ArchivePlace(path=path), sub_path=sub_path)
        case "git":
            location = _git(rest, given.texts("git"), environment, sub_path)
            return Context(place=RemotePlace(location=location, is_git=True))
        case "s3" | "gs":
            return Context(place=_bucket(scheme, rest, environment), sub_path=sub_path)
        case "https":
            found = re.fullmatch(_AZURE, location)
            place = _azure(found, environment) if found else RemotePlace(location=location)
            return Context(place=place, sub_path=sub_path)
        case _:
            raise UsageError(
                f"unknown build context prefix {scheme}://", hint=f"use one of {_PREFIXES}"
            )


def _bucket(kind: str, rest: str, environment: Mapping[str, str]) -> ObjectPlace:
    bucket, _, key = rest.partition("/")
    if not bucket or not key:
        raise UsageError(f"{kind}://{rest}: it must name a bucket and an object in it")
    access: dict[str, str] = {}
    if kind == "s3":
        region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
        access["region"] = region or "us-east-1"
        if endpoint := environment.get("S3_ENDPOINT"):
            access["endpoint_url"] = endpoint
            path_style = environment.get("S3_FORCE_PATH_STYLE", "").lower() == "true"
            access["use_path_style"] = str(path_style).lower()
        names = ("access_key_id", "secret_access_key", "session_token")
        for name in names:
            if value := environment.get(f"AWS_{name.upper()}"):
                access[name] = value
    elif emulator := environment.get("STORAGE_EMULATOR_HOST"):
        # As Google's libraries: an address or a URL, and no credentials.
        access["endpoint_url"] = emulator if "://" in emulator else f"http://{emulator}"
        access["anonymous"] = "true"
    return ObjectPlace(kind=kind, bucket=bucket, key=key, access=access)


def _azure(found: re.Match[str], environment: Mapping[str, str]) -> ObjectPlace:
    key = environment.get("AZURE_STORAGE_ACCESS_KEY", "")
    if not key:
        raise UsageError("AZURE_STORAGE_ACCESS_KEY environment variable is not set")
    url = found[0].partition(f"/{found['container']}/")[0]
    access = {"account_name": found["account"], "account_url": url, "secret_access_key": key}
    return ObjectPlace(kind="azblob", bucket=found["container"], key=found["key"], access=access)


def _git(text: str, options: Sequence[str], environment: Mapping[str, str], sub_path: str) -> str:
    """Return the git context ``HOST/REPOSITORY[#REF[#COMMIT]]`` as a location of ``img build``.

    kaniko's clones have their .git directory.
    """
    repository, *fragments = text.split("#")
    wanted = _git_options(options)
    named = fragments[0] if fragments else ""
    # What is fetched after kaniko's clone takes the place of the branch.
    reference = named if _is_fetched_alone(repository, named) else wanted["branch"] or named
    if len(fragments) > 1:
        if not is_commit(fragments[1]):
            raise UsageError(f"git://{text}: {fragments[1]} is not the hash of a commit")
        reference = fragments[1]
    scheme = "http" if environment.get("GIT_PULL_METHOD") == "http" else "https"
    address = repository if repository.endswith(".git") else f"{repository}.git"
    query = f"submodules={wanted['submodules']}&keep-git-dir=true"
    fragment = f"#{reference}{f':{sub_path}' if sub_path else ''}" if reference or sub_path else ""
    return f"{scheme}://{_login(environment)}{address}?{query}{fragment}"


def _is_fetched_alone(repository: str, reference: str) -> bool:
    """Tell whether kaniko fetches ``reference`` by itself, and clones no branch of that name."""
    if is_commit(reference):
        return True
    return reference.startswith("refs/") and not (
        reference.startswith("refs/heads/")
        or (repository.startswith("github.com/") and reference.startswith("refs/pull/"))
        or (repository.startswith("gitlab.com/") and reference.startswith("refs/merge-requests/"))
    )


def _login(environment: Mapping[str, str]) -> str:
    name, password = environment.get("GIT_USERNAME", ""), environment.get("GIT_PASSWORD", "")
    if token := environment.get("GIT_TOKEN"):
        name, password = token, ""
    return f"{escaped_user(f'{name}:{password}')}@" if name or password else ""


def _git_options(texts: Sequence[str]) -> Mapping[str, str]:
    """Return the options of ``--git``. Raises UsageError for those that img cannot follow."""
    options = {"branch": "", "submodules": "false"}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"--git {text}: it must be KEY=VALUE")
        match key:
            case "branch":
                options["branch"] = value
            case "depth" if not re.fullmatch(r"[+-]?\d+", value, re.ASCII):
                raise UsageError(f"--git {text}: {value} is not a number")
            case "single-branch" | "recurse-submodules" | "insecure-skip-tls" if (
                parse_boolean(value) is None
            ):
                raise UsageError(f"--git {text}: {value} is not a boolean")
            case "insecure-skip-tls" if parse_boolean(value):
                raise UsageError(
                    "--git insecure-skip-tls=true is not supported",
                    hint="set GIT_SSL_NO_VERIFY=true",
                )
            case "recurse-submodules" if parse_boolean(value):
                options["submodules"] = "true"
            case _:
                pass  # the depth and the branches of a clone: img fetches one commit
    return options
