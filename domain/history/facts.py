"""The facts about a step that its record keeps: small, and without secrets."""

import hashlib
import re
from collections.abc import Callable, Collection, Mapping

from img.domain.dataclass import dataclass
from img.domain.graph.codec import Json, encode_operation
from img.domain.graph.operations import Exec, Operation
from img.domain.oci.chain import Layer
from img.domain.options.attributes import masked

# The words of BuildKit's check SecretsUsedInArgOrEnv, also at the end of others ("githubToken"),
# and more: a warning too many would be a nuisance, a value that is hidden is none.
_SECRET = (
    r"(?i)(?:apikey|credentials?|passphrase|password|pword|passwd|secret|token)(?:_|$)"
    r"|(?:_|^)(?:auth|key|pass|pat|pwd)(?:_|$)"
)
_NO_SECRET = r"(?i)(?:_|^)(?:public|file|version)(?:_|$)"
_SHORTEST = 4  # characters, as of secrets in output
HIDDEN = "hidden:"
"""The beginning of a text that stands for the value of a secret; equal values have equal texts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFacts:
    """The inputs and the result of a step.

    ``keys`` and ``contents`` are those of the inputs, in their order, "" for a build context. The
    digests name layers and file indexes, which have the paths.
    """

    operation: Mapping[str, Json]  # as of encode_operation
    inputs: tuple[str, ...] = ()  # IDs of vertices
    keys: tuple[str, ...] = ()
    contents: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()  # the variables that are ARGs
    lines: tuple[int, int] | None = None
    ignore_cache: bool = False
    key: str = ""  # the definition key; "" for a step that failed before it was known
    layers: tuple[Layer, ...] = ()  # of a base image
    layer: Layer | None = None  # that the step added
    kept: Layer | None = None  # the changes of a step that failed


def is_secret_name(name: str) -> bool:
    """Return whether a variable of that name is likely to hold a secret."""
    return bool(re.search(_SECRET, name)) and not re.search(_NO_SECRET, name)


def secret_values(arguments: Mapping[str, str]) -> dict[str, str]:
    """Return the values of ``arguments`` with the names of secrets, and the texts instead.

    Short ones are left out: they are parts of other words.
    """
    return {
        value: hidden(value)
        for name, value in arguments.items()
        if len(value) >= _SHORTEST and is_secret_name(name)
    }


def hidden(value: str) -> str:
    """Return the text that a record has in place of a secret.

    It is no more than the definition key of the step has of the value.
    """
    digest = hashlib.sha256(value.encode("utf-8", "surrogateescape"))
    return f"{HIDDEN}{digest.hexdigest()[:8]}"


def shown_value(name: str, value: str) -> str:
    """Return the value of a variable as a record keeps it."""
    is_secret = is_secret_name(name) or _has_bare_password(name, value)
    return hidden(value) if is_secret else redacted(value)


def redacted(text: str) -> str:
    """Return ``text`` without passwords in URLs."""
    if "://" not in text:
        return text
    from img.domain.url import redact_urls  # slow to import

    return redact_urls(text)


def without_secrets(value: Json) -> Json:
    """Return the value of an option, or all of them, without passwords and keys of caches."""
    match value:
        case str() if f"={HIDDEN}" in value:
            return value  # of a variable, by shown_value
        case str():
            return masked(redacted(value)) if "=" in value else redacted(value)
        case list():
            return [without_secrets(each) for each in value]
        case dict():
            return {name: without_secrets(each) for name, each in value.items()}
        case _:
            return value


def kept_operation(operation: Operation, arguments: Collection[str] = ()) -> dict[str, Json]:
    """Return ``operation`` as JSON without proxies and the secret values of ``arguments``.

    Values of ENV are in the image anyway.
    """
    encoded = encode_operation(operation)
    encoded.pop("hidden_env", None)
    if isinstance(operation, Exec):
        encoded["argv"] = [redacted(word) for word in operation.argv]
        encoded["env"] = [
            [name, hidden(value) if name in arguments and _is_secret(name, value) else value]
            for name, value in operation.env
        ]
    for name in ("url", "remote"):
        if isinstance(text := encoded.get(name), str):
            encoded[name] = redacted(text)
    return with_heredocs(encoded, redacted)


def with_heredocs(operation: Mapping[str, Json], shown: Callable[[str], str]) -> dict[str, Json]:
    """Return an encoded operation with ``shown`` applied to the contents of its heredocs."""
    made = dict(operation)
    for name in ("inline", "files"):
        if isinstance(files := made.get(name), list):
            made[name] = [
                {**each, "content": shown(str(each.get("content", "")))}
                if isinstance(each, dict)
                else each
                for each in files
            ]
    return made


def _is_secret(name: str, value: str) -> bool:
    """Tell whether a variable is, or has in a URL, a secret: ARG HTTP_PROXY may have a password."""
    return shown_value(name, value) != value


def _has_bare_password(name: str, value: str) -> bool:
    """Tell whether a proxy has a password and no scheme, which most programs allow."""
    return name.lower().endswith("_proxy") and "@" in value and "://" not in value
