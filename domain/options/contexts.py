"""``--build-context``."""

from img.domain.errors import UsageError
from img.domain.reference import ImageReference, InvalidReference


def parse_named_context(text: str) -> tuple[str, str]:
    """Return the name and what it stands for, of ``name=value``. Raises UsageError.

    The name is one that FROM could name (buildx, util/buildflags/context.go).
    """
    name, equals, value = text.partition("=")
    if not equals or not name or not value:
        raise UsageError(f"invalid context value: {text}, expected key=value")
    try:
        named = ImageReference.parse(name.partition("::")[0])
    except InvalidReference as error:
        raise UsageError(f"invalid context name {name}: {error.reason}") from None
    return named.familiar.removesuffix(":latest"), value
