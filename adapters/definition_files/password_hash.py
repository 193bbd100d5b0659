"""Hashes of passwords, by the package bcrypt."""

from img.domain.bake.errors import BakeError


def hash_password(password: bytes, cost: int) -> str:
    """Return the bcrypt hash as Go writes it, with a new salt in each call. Raises BakeError."""
    try:
        import bcrypt
    except ModuleNotFoundError:
        raise BakeError(
            "the function needs the package bcrypt, which is not installed",
            hint="pip install 'img-builder[bcrypt]'",
        ) from None
    try:
        return bcrypt.hashpw(password, bcrypt.gensalt(cost, b"2a")).decode("ascii")
    except ValueError as error:
        raise BakeError(f"error occured generating password {error}") from None
