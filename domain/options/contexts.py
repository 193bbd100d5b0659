"""``--build-context``."""

from img.domain.errors import UsageError
from img.domain.reference import ImageReference, InvalidReference


def parse_named_context(text: str) -> tuple[str, str]:
    """Return the name and what it stands for, of ``name=value``. Raises UsageError.

    The name is one that FROM could name (buildx, util/buildflags/context.go). The value may be
    empty here, as there; a build refuses it.
    """
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"invalid context value: {text}, expected key=value")
    try:
        named = ImageReference.parse(name)
    except InvalidReference as error:
        raise UsageError(f"invalid context name {name}: {error.reason}") from None
    return named.familiar.removesuffix(":latest"), value
