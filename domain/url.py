"""URLs: their parts, and their text without secrets."""

import re
from collections.abc import Mapping
from ipaddress import IPv6Address

from img.domain.dataclass import dataclass

_HIDDEN = "xxxxx"  # Go's replacement for a password (net/url, URL.Redacted)
# Not compiled here: all of them together would add 6 ms to each start.
_URL = (
    r"(?s)(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)"
    r"(?:\?(?P<query>[^#]*))?(?:#(?P<fragment>.*))?"
)
_CONTROL = r"[\x00-\x1f\x7f]"
_ESCAPE = rb"%([0-9a-fA-F]{2})"
_BAD_ESCAPE = r"%(?![0-9a-fA-F]{2})"
# Characters that are not escaped in each part (Go's net/url); the others become %XX.
_USER_WRITTEN = r"[A-Za-z0-9._:~!$&'()*+,;=%@-]*"
_PATH_WRITTEN = r"[A-Za-z0-9._~$&+,/:;=@!'()*\[\]%-]*"
_HOST_WRITTEN = r"(?:[A-Za-z0-9._~!\"$&'()*+,:;<=>\[\]\x80-\U0010ffff-]|%25|%[89a-fA-F].)*"
_NOT_IN_PATH = rb"[^A-Za-z0-9._~$&+,/:;=@-]"
_NOT_IN_USER = rb"[^A-Za-z0-9._~$&+,;=-]"
_NOT_IN_HOST = rb"[^A-Za-z0-9._~!\"$&'()*+,:;<=>\[\]-]"
_BRACKETED = r"\[(?P<address>.*)\](?P<port>[^\]]*)"
_PORT = r"(?::[0-9]*)?"
# A word of a shell, a Dockerfile or a message; the lookbehind keeps the search linear.
_URL_IN_TEXT = r"(?<![a-zA-Z0-9+.-])[a-zA-Z][a-zA-Z0-9+.-]{0,30}://[^\s\"<>`]+"
# Signatures of storage services (Amazon, Google, Azure), and common names of tokens.
_SECRET_VALUE = (
    r"(?i)([?&;#](?:x-amz-(?:signature|security-token|credential)|x-goog-(?:signature|credential)"
    r"|signature|sig|verify|hmac|jwt|auth|authorization|(?:[a-z]+[_-])?(?:token|secret)"
    r"|access[_-]?token|api[_-]?key|pass|passwd|password|pwd)=)[^&;#\s\"'<>),]+"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Url:
    """A URL with an authority (RFC 3986, "Syntax Components"; Go's net/url, Parse and String)."""

    scheme: str  # in lower case
    host: str  # with the port
    path: str  # unescaped
    user: str = ""  # name[:password], unescaped
    user_written: str = ""  # the credentials, escaped for a URL
    query: str = ""  # as written
    fragment: str | None = None  # unescaped; None if it is absent
    address: str  # without query and fragment, escaped for a URL

    @classmethod
    def parse(cls, text: str) -> "Url | None":
        """Return the parts of ``text``, None if it is not such a URL."""
        found = re.fullmatch(_URL, text)
        if found is None or re.search(_CONTROL, text.partition("#")[0]):
            return None
        user, at, host = found["authority"].rpartition("@")
        fragment = found["fragment"]
        escaped = (user, found["path"], fragment or "")
        if not re.fullmatch(_USER_WRITTEN, user) or any(
            re.search(_BAD_ESCAPE, part) for part in escaped
        ):
            return None
        scheme = found["scheme"].lower()
        if not _is_host(host, strict=scheme in {"http", "https"}):
            return None
        user_written = escaped_user(user)
        host_written = _escaped(host, _NOT_IN_HOST)
        return cls(
            scheme=scheme,
            host=unescaped(host),
            path=unescaped(found["path"]),
            user=unescaped(user),
            user_written=user_written,
            query=found["query"] or "",
            fragment=None if fragment is None else unescaped(fragment),
            address=f"{scheme}://{user_written}{at}{host_written}{_path_written(found['path'])}",
        )

    @property
    def host_name(self) -> str:
        """The host without port and brackets."""
        return re.sub(r":\d*$", "", self.host).strip("[]")

    @property
    def file_name(self) -> str:
        """The last part of the path, "" if it has none."""
        return self.path.rstrip("/").rpartition("/")[2]


def _is_host(text: str, *, strict: bool) -> bool:
    """Return whether ``text`` is a host with or without port; ``strict`` allows one colon only."""
    if "[" in text:
        found = re.fullmatch(_BRACKETED, text)
        return bool(found and re.fullmatch(_PORT, found["port"]) and _is_ipv6(found["address"]))
    name, colon, port = text.partition(":") if strict else text.rpartition(":")
    return bool(re.fullmatch(_PORT, colon + port if name or colon else "") and _is_written(text))


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text.replace("%25", "%", 1))
    except ValueError:
        return False
    return _is_written(text)


def _is_written(host: str) -> bool:
    return bool(re.fullmatch(_HOST_WRITTEN, host)) and not re.search(_BAD_ESCAPE, host)


def escaped_user(user: str) -> str:
    """Return ``name[:password]`` with escapes for a URL."""
    name, colon, password = user.partition(":")
    return colon.join(_escaped(part, _NOT_IN_USER) for part in (name, password))


def _path_written(path: str) -> str:
    """Return ``path`` as written, with characters escaped that have to be."""
    return path if re.fullmatch(_PATH_WRITTEN, path) else _escaped(path, _NOT_IN_PATH)


def _escaped(text: str, reserved: bytes) -> str:
    return re.sub(reserved, lambda found: b"%%%02X" % found[0][0], _bytes(text)).decode()


def unescaped(text: str) -> str:
    """Return ``text`` with escapes such as ``%20`` decoded (RFC 3986, "Percent-Encoding")."""
    return _bytes(text).decode(errors="replace")


def _bytes(text: str) -> bytes:
    raw = text.encode(errors="surrogateescape")  # a command line may hold bytes that are not UTF-8
    return re.sub(_ESCAPE, lambda found: bytes([int(found[1], 16)]), raw)


def query_values(query: str) -> Mapping[str, tuple[str, ...]]:
    """Return the values of each name in ``a=1&b=2``, in order; invalid pairs are skipped."""
    values: dict[str, tuple[str, ...]] = {}
    for part in query.split("&"):
        if part and _is_pair(part):
            name, _, value = part.replace("+", " ").partition("=")
            name = unescaped(name)
            values[name] = (*values.get(name, ()), unescaped(value))
    return values


def is_query(query: str) -> bool:
    """Return whether ``query`` holds only pairs."""
    return all(map(_is_pair, query.split("&")))


def _is_pair(part: str) -> bool:
    return ";" not in part and not re.search(_BAD_ESCAPE, part)


def redact_credentials(text: str) -> str:
    """Return a URL without credentials and tokens (BuildKit util/urlutil, RedactCredentials).

    Other texts are returned unchanged; blanks are escaped, as in Go. BuildKit shows the query as it
    is; img also hides tokens in it.
    """
    if re.match(r"[^/?#]*:(?!//)", text) or re.match(r"\d[^/]*://", text):
        return text  # not a URL: "git@host:path", or an invalid scheme
    if (found := re.match(r"([^:/?#]+://)([^/?#]*)@", text)) is not None:
        user, colon, _ = found[2].partition(":")
        hidden = (_HIDDEN if user else "") + (f":{_HIDDEN}" if colon else "")
        text = f"{found[1]}{hidden}@{text[found.end() :]}"
    if "=" in text:  # few have one, and the pattern takes 2 ms to compile
        text = re.sub(_SECRET_VALUE, rf"\1{_HIDDEN}", text)
    return text.replace(" ", "%20")


def redact_urls(text: str) -> str:
    """Return ``text`` with ``redact_credentials`` applied to each URL in it."""
    if "://" not in text:
        return text
    return re.sub(_URL_IN_TEXT, lambda found: redact_credentials(found[0]), text)
