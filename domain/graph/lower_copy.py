"""Vertices of COPY, ADD and WORKDIR."""

from collections.abc import Mapping
from dataclasses import replace

from img.domain.dataclass import dataclass
from img.domain.dockerfile.file_mode import BadFileMode, parse_file_mode
from img.domain.dockerfile.instructions import Add, Copy, Workdir
from img.domain.dockerfile.raw import Heredoc
from img.domain.dockerfile.variables import expand_word
from img.domain.errors import DockerfileError
from img.domain.filesystem import paths
from img.domain.graph.heredoc_files import file_name_of
from img.domain.graph.names import command_text, name_step
from img.domain.graph.operations import (
    CopyFiles,
    FetchGit,
    FetchUrl,
    InlineFile,
    MakeDirectory,
)
from img.domain.graph.remote_sources import fetch_git, fetch_url, is_git, is_url
from img.domain.graph.state import StageScope, StageState
from img.domain.graph.vertex import Vertex
from img.domain.url import redact_credentials

_PIVOT = "/./"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Words:
    """The words of a COPY or ADD after expansion."""

    sources: tuple[str, ...]
    destination: str
    chown: str
    chmod: str
    checksum: str
    inline: tuple[InlineFile, ...]


@dataclass(frozen=True, slots=True)
class _Source:
    """One source: its position in the graph, and the path inside it."""

    vertex: int
    path: str


def lower_copy(
    scope: StageScope,
    state: StageState,
    instruction: Copy | Add,
    source: int | None,
    *,
    on_build: bool = False,
) -> StageState:
    """Return the state after COPY or ADD; ``source`` is the vertex of --from, None for the context.

    Raises DockerfileError.
    """
    words = _expanded(scope, state, instruction)
    _check(words, instruction)
    state, name = _named(scope, state, instruction.original, on_build=on_build)
    sources = [_source(scope, text, words, instruction, source) for text in words.sources]
    vertices = list(dict.fromkeys(found.vertex for found in sources))
    operation = CopyFiles(
        sources=tuple(found.path for found in sources),
        source_inputs=tuple(vertices.index(found.vertex) + 1 for found in sources)
        if len(vertices) > 1 or any(_is_remote(text) for text in words.sources)
        else (),
        inline=words.inline,
        destination=destination_path(state, words.destination),
        chown=words.chown,
        chmod=words.chmod,
        exclude=instruction.exclude,
        parents=isinstance(instruction, Copy) and instruction.parents,
        link=instruction.link and not words.chmod,  # as in BuildKit, --chmod disables --link
        unpack=isinstance(instruction, Add) and instruction.unpack is not False,
        unpack_fetched=isinstance(instruction, Add) and instruction.unpack is True,
        epoch=scope.epoch,
    )
    vertex = scope.graph.add(
        Vertex(
            operation=operation,
            inputs=(state.root, *vertices),
            name=name,
            lines=instruction.lines,
            ignore_cache=scope.ignore_cache,
        )
    )
    return state.with_history(_history(words, instruction), vertex)


def lower_workdir(
    scope: StageScope, state: StageState, instruction: Workdir, *, on_build: bool = False
) -> StageState:
    """Return the state after WORKDIR; the directory is created unless it is the root."""
    path = scope.expand(state, instruction.path, instruction.lines)
    if not path.startswith("/"):
        path = paths.join(state.directory, path)
    state = state.with_run(replace(state.run, working_dir=path))
    if path == "/":
        return state.with_history("WORKDIR /")
    state, name = _named(scope, state, instruction.original, on_build=on_build)
    operation = MakeDirectory(path=paths.join("/", path), owner=state.run.user, epoch=scope.epoch)
    vertex = Vertex(operation=operation, inputs=(state.root,), name=name, lines=instruction.lines)
    return state.with_history(f"WORKDIR {path}", scope.graph.add(vertex))


def destination_path(state: StageState, text: str) -> str:
    """Return the path of ``text`` in the image, with a slash at the end if it is a directory."""
    path = paths.join(state.directory, text)
    is_directory = text in {"", "."} or text.endswith(("/", "/."))
    return f"{path}/" if is_directory and path != "/" else path


def _named(
    scope: StageScope, state: StageState, original: str, *, on_build: bool
) -> tuple[StageState, str]:
    text = command_text(original, state.env, scope.escape)
    return name_step(scope, state, text, on_build=on_build)


def _expanded(scope: StageScope, state: StageState, instruction: Copy | Add) -> _Words:
    def expanded(word: str) -> str:
        return scope.expand(state, word, instruction.lines)

    env = state.env
    return _Words(
        sources=tuple(expanded(word) for word in instruction.sources),
        destination=expanded(instruction.destination),
        chown=expanded(instruction.chown),
        chmod=expanded(instruction.chmod),
        checksum=expanded(instruction.checksum) if isinstance(instruction, Add) else "",
        inline=tuple(_inline(heredoc, env, instruction) for heredoc in instruction.heredocs),
    )


def _inline(heredoc: Heredoc, env: Mapping[str, str], instruction: Copy | Add) -> InlineFile:
    r"""Return the file of ``<<NAME``; its escape character is always ``\``."""
    content = heredoc.content
    if heredoc.expand:
        content = expand_word(content, env, ignore_quotes=True, lines=instruction.lines).text
    return InlineFile(name=file_name_of(heredoc, instruction.lines), content=content)


def _check(words: _Words, instruction: Copy | Add) -> None:
    if words.chmod:
        try:
            parse_file_mode(words.chmod)
        except BadFileMode as error:
            raise DockerfileError(str(error), lines=instruction.lines) from None
    if words.checksum and len(words.sources) != 1:
        raise DockerfileError(
            "checksum can't be specified for multiple sources", lines=instruction.lines
        )
    if words.checksum and not _is_remote(words.sources[0]):
        raise DockerfileError("checksum requires HTTP(S) or Git sources", lines=instruction.lines)


def _is_remote(text: str) -> bool:
    return is_git(text) or is_url(text)


def _source(
    scope: StageScope, text: str, words: _Words, instruction: Copy | Add, source: int | None
) -> _Source:
    if _is_remote(text):
        return _fetched(scope, text, words, instruction)
    if source is None:
        source = scope.main_context()
    if isinstance(instruction, Copy) and instruction.parents and _PIVOT in text:
        before, after = map(paths.clean, text.split(_PIVOT, 1))
        return _Source(source, f"{before}{_PIVOT}{after}" if before else after)
    return _Source(source, paths.clean(text))


def _fetched(scope: StageScope, text: str, words: _Words, instruction: Copy | Add) -> _Source:
    git = is_git(text)
    if isinstance(instruction, Copy):
        what = "a git ref" if git else "a URL"
        raise DockerfileError(f"source can't be {what} for COPY", lines=instruction.lines)
    if git:
        checkout = fetch_git(text, instruction, words.checksum)
        return _Source(_fetch(scope, checkout, text, instruction), "")
    operation = fetch_url(text, instruction, words.checksum)
    return _Source(_fetch(scope, operation, text, instruction), operation.filename)


def _fetch(
    scope: StageScope, operation: FetchUrl | FetchGit, text: str, instruction: Copy | Add
) -> int:
    name = f"ADD {redact_credentials(text)}"
    return scope.graph.add(Vertex(operation=operation, name=name, lines=instruction.lines))


def _history(words: _Words, instruction: Copy | Add) -> str:
    shown = ["ADD" if isinstance(instruction, Add) else "COPY"]
    if isinstance(instruction, Copy) and instruction.parents:
        shown.append("--parents")
    shown += [f"--chown={words.chown}"] if words.chown else []
    shown += [f"--chmod={words.chmod}"] if words.chmod else []
    shown += words.sources
    shown += [f"<<{file.name}" for file in words.inline]
    return f"{' '.join(shown)} {words.destination} # buildkit"
