"""``--build-context``."""

from img.domain.errors import UsageError
from img.domain.reference import ImageReference, InvalidReference


def parse_named_context(text: str) -> tuple[str, str]:
    """Return the name and the value of ``name=value``. Raises UsageError.

    The name has the syntax of an image's name (buildx, util/buildflags/context.go). An empty value
    is accepted here, as in buildx; the build refuses it.
    """
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"invalid context value: {text}, expected key=value")
    try:
        named = ImageReference.parse(name)
    except InvalidReference as error:
        raise UsageError(f"invalid context name {name}: {error.reason}") from None
    return named.familiar.removesuffix(":latest"), value
