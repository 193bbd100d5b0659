"""Causes of failures of the package sigstore, in the words of users."""

from contextlib import suppress

_LONGEST = 300  # characters of a reason

_EXPIRED = "was signed when its certificate had expired, or was not valid yet"
# The package has one error for all signatures that do not hold: parts of its messages, the more
# specific ones first, and the causes. "{}" is the place of the message.
_CAUSES = (
    ("expected exactly one log entry", "has no entry in the transparency log"),
    ("not valid at validation time", _EXPIRED),
    ("expired at time of signing", _EXPIRED),
    ("certificate chain: ", "has a certificate of an authority that is not trusted: {}"),
    ("SCT", "has a certificate that is not in a trusted certificate log: {}"),
    ("inclusion promise or signed timestamp", "has no time that a service signed"),
    ("sources of verified time", "has no time that a service signed"),
    ("DSSE: invalid signature", "has a bad signature: it or the statement was changed"),
    ("invalid log entry: ", "has no valid entry in the transparency log: {}"),
    ("log entry", "has the log entry of another signature: {}"),
    ("failed to load bundle", "is no bundle that can be read: {}"),
)


def cause_of(error: Exception) -> str:
    """Return why a signature does not hold, as a predicate: "has a bad signature"."""
    text = text_of(error)
    for part, cause in _CAUSES:
        if part in text:
            return cause.format(text)
    return f"does not hold: {text}"


def text_of(error: BaseException) -> str:
    """Return the message of an error of the package, in one line."""
    cause = error.__cause__
    said = str(error) or (str(cause) if cause else "") or type(error).__name__
    # The package does not repeat the message of a service that refuses.
    answer = getattr(cause, "response", None)
    with suppress(Exception):
        message = str(answer.json()["message"])  # type: ignore[union-attr]
        said += "" if message in said else f": {message}"
    return " ".join(said.split())[:_LONGEST]
