"""Contract suite of definition files."""

import pytest

from img.application.ports.definition_files import DefinitionFiles
from img.domain.bake.errors import BakeError

FILES = {
    "docker-bake.hcl": b'target "a" {}\n',
    "sub/key": b"-----BEGIN OPENSSH PRIVATE KEY-----\n",
}
SOCKET = "agent"


class DefinitionFilesContract:
    """Promises of every DefinitionFiles.

    Fixtures: ``files``, which has ``FILES`` and a socket named ``SOCKET``.
    """

    def test_a_file_is_read(self, files: DefinitionFiles) -> None:
        assert files.read("docker-bake.hcl") == FILES["docker-bake.hcl"]
        assert files.read("nothing") is None
        assert files.read("docker-bake.hcl/below") is None

    def test_a_directory_is_not_read(self, files: DefinitionFiles) -> None:
        with pytest.raises(BakeError, match="read sub: is a directory"):
            files.read("sub")

    def test_files_have_kinds(self, files: DefinitionFiles) -> None:
        assert [files.kind(name) for name in ("sub", "sub/key", "nothing")] == [
            "directory",
            "file",
            "",
        ]
        assert files.is_socket(SOCKET)
        assert not files.is_socket("sub/key")

    def test_a_private_key_is_recognized(self, files: DefinitionFiles) -> None:
        assert files.is_private_key("sub/key")
        assert not files.is_private_key("docker-bake.hcl")
        assert not files.is_private_key("nothing")

    @pytest.mark.parametrize(
        ("path", "directory", "inside"),
        [
            ("sub/key", ".", True),
            (".", ".", True),
            ("sub/../x", ".", True),
            ("..", ".", False),
            ("sub/../../x", ".", False),
            ("/etc", ".", False),
            ("/etc", "/", True),
            ("subway", "sub", False),
        ],
    )
    def test_a_path_is_inside_of_a_directory_or_not(
        self, files: DefinitionFiles, path: str, directory: str, inside: bool
    ) -> None:
        assert files.is_inside(path, directory) is inside
