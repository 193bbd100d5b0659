"""An app with contexts in all kinds of places."""

import io
import tarfile
from collections.abc import Mapping

from img.adapters.build_context.memory import MemoryContext
from img.adapters.build_context.memory_source import MemoryContexts
from img.adapters.git.memory import MemoryGit, MemoryRepository
from img.adapters.scratch_space.memory import MemoryScratchSpace
from img.adapters.web.memory import MemoryPage, MemoryWeb
from img.application.outputs.solved import BuiltImage
from img.domain.build import BuildRequest
from img.domain.outputs import ImageOutput
from tests.support.in_memory_app import InMemoryApp, a_request

COMMIT = "1" * 40


def an_archive(files: Mapping[str, bytes], *, mtime: int = 0) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.uid, member.mtime = len(data), 7, mtime
            tar.addfile(member, io.BytesIO(data))
    return content.getvalue()


class World:
    """An InMemoryApp with directories, standard input, a web page or two and a repository."""

    def __init__(
        self,
        *,
        directories: Mapping[str, Mapping[str, bytes]] | None = None,
        others: Mapping[str, bytes] | None = None,
        stdin: bytes = b"",
        pages: Mapping[str, bytes] | None = None,
        repository: Mapping[str, bytes] | None = None,
        modified: int | None = None,
    ) -> None:
        self.app = InMemoryApp()
        container = self.app.container
        container.storage.local_contexts.override(
            MemoryContexts(
                archive=self.app.archive,
                scratch=MemoryScratchSpace(),
                directories=directories or {},
                others=others or {},
                input=stdin,
            )
        )
        web = {
            url: MemoryPage(content=content, modified=modified)
            for url, content in (pages or {}).items()
        }
        container.building.web.override(MemoryWeb(web))
        files = {(COMMIT, ""): MemoryContext(repository or {})}
        hosted = MemoryRepository(refs={"refs/heads/main": COMMIT}, files=files, committed=90)
        self.git = MemoryGit({"https://host/r.git": hosted, "https://github.com/a/r": hosted})
        container.building.git.override(self.git)

    def built(
        self,
        location: str,
        file: str | None = None,
        request: BuildRequest | None = None,
    ) -> BuiltImage:
        built = self.app.container.building.build_image()(
            request or a_request(),
            location=location,
            file=file,
            outputs=[ImageOutput()],
        )
        assert built is not None
        return built

    def build(self, location: str, file: str | None = None, **named: str) -> dict[str, bytes]:
        return self.app.files_of(self.built(location, file, a_request(contexts=named)))
