"""File names of here-documents."""

from img.domain.dockerfile.raw import Heredoc
from img.domain.errors import DockerfileError
from img.domain.filesystem import paths
from img.domain.filesystem.file_name import FileName, InvalidFileName


def file_name_of(heredoc: Heredoc, lines: tuple[int, int]) -> FileName:
    """Return the file name of ``<<NAME``: the last part of the cleaned path.

    So the file has BuildKit's name, and is always inside the destination. Raises DockerfileError.
    """
    name = paths.name(paths.clean(heredoc.name)) or heredoc.name
    try:
        return FileName(name)
    except InvalidFileName as error:
        raise DockerfileError(
            f"here-document {error.message}", lines=lines, hint="a name such as EOF will do"
        ) from None
