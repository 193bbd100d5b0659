"""Errors of paths that an image does not have."""

from img.domain.errors import NotFoundError


class FileNotInImage(NotFoundError):
    """An image has no file at a path."""

    def __init__(self, path: str) -> None:
        super().__init__(f"the image has no file /{path}")
        self.path = path


class NotAFile(NotFoundError):
    """A path of an image that is no regular file, so that it has no content."""

    def __init__(self, path: str) -> None:
        super().__init__(f"/{path} of the image is not a regular file")
        self.path = path
