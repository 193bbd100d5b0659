"""URLs, taken apart, and shown without the secrets in them."""

import re
from collections.abc import Mapping

from img.domain.dataclass import dataclass

_HIDDEN = "xxxxx"  # Go's word for a password that is not shown (net/url, URL.Redacted)
_URL = re.compile(
    r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)"
    r"(?:\?(?P<query>[^#]*))?(?:#(?P<fragment>.*))?",
    re.DOTALL,
)
# A word of a shell, a Dockerfile or a message; the look behind keeps the search linear.
_URL_IN_TEXT = re.compile(r"(?<![a-zA-Z0-9+.-])[a-zA-Z][a-zA-Z0-9+.-]{0,30}://[^\s\"<>`]+")
# Signatures of storage (Amazon's, Google's, Azure's), and what clients call their tokens.
_SECRET_VALUE = re.compile(
    r"([?&;#](?:x-amz-(?:signature|security-token|credential)|x-goog-(?:signature|credential)"
    r"|signature|sig|verify|hmac|jwt|auth|authorization|(?:[a-z]+[_-])?(?:token|secret)"
    r"|access[_-]?token|api[_-]?key|pass|passwd|password|pwd)=)[^&;#\s\"'<>),]+",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Url:
    """A URL with an authority (RFC 3986, "Syntax Components")."""

    scheme: str  # in lower case
    host: str  # with the port
    path: str  # unescaped
    user: str = ""  # name[:password], unescaped
    query: str = ""  # as written
    fragment: str | None = None  # unescaped; None where there is none
    address: str  # without query and fragment, as written

    @classmethod
    def parse(cls, text: str) -> "Url | None":
        """Return the parts of ``text``, None if it is no such URL."""
        found = _URL.fullmatch(text)
        if found is None:
            return None
        user, _, host = found["authority"].rpartition("@")
        scheme = found["scheme"].lower()
        fragment = found["fragment"]
        return cls(
            scheme=scheme,
            host=host,
            path=unescaped(found["path"]),
            user=unescaped(user),
            query=found["query"] or "",
            fragment=None if fragment is None else unescaped(fragment),
            address=f"{scheme}://{found['authority']}{found['path']}",
        )

    @property
    def host_name(self) -> str:
        """The host without port and brackets."""
        return re.sub(r":\d*$", "", self.host).strip("[]")

    @property
    def file_name(self) -> str:
        """The last part of the path, "" where there is none."""
        return self.path.rstrip("/").rpartition("/")[2]


def unescaped(text: str) -> str:
    """Return ``text`` without its ``%20`` (RFC 3986, "Percent-Encoding")."""
    parts = re.split(r"((?:%[0-9a-fA-F]{2})+)", text)
    for at in range(1, len(parts), 2):
        parts[at] = bytes.fromhex(parts[at].replace("%", "")).decode(errors="replace")
    return "".join(parts)


def query_values(query: str) -> Mapping[str, tuple[str, ...]]:
    """Return the values of each name in ``a=1&b=2``, in their order."""
    values: dict[str, tuple[str, ...]] = {}
    for part in query.split("&") if query else ():
        name, _, value = part.replace("+", " ").partition("=")
        name = unescaped(name)
        values[name] = (*values.get(name, ()), unescaped(value))
    return values


def redact_credentials(text: str) -> str:
    """Return a URL without name, password and tokens (BuildKit util/urlutil, RedactCredentials).

    What is no URL stays; blanks come back escaped, as Go writes them. BuildKit shows the query as
    it is; img hides the values there that open what the URL leads to.
    """
    if re.match(r"[^/?#]*:(?!//)", text) or re.match(r"\d[^/]*://", text):
        return text  # no URL: "git@host:path", a scheme that is none
    if (found := re.match(r"([^:/?#]+://)([^/?#]*)@", text)) is not None:
        user, colon, _ = found[2].partition(":")
        hidden = (_HIDDEN if user else "") + (f":{_HIDDEN}" if colon else "")
        text = f"{found[1]}{hidden}@{text[found.end() :]}"
    return _SECRET_VALUE.sub(rf"\1{_HIDDEN}", text).replace(" ", "%20")


def redact_urls(text: str) -> str:
    """Return ``text`` with each URL in it as ``redact_credentials`` has it."""
    if "://" not in text:
        return text
    return _URL_IN_TEXT.sub(lambda found: redact_credentials(found[0]), text)
