"""COPY and ADD: what is read when, what is found again, what the layer holds."""

import io
import random
import re
import tarfile
from collections.abc import Iterable

import pytest

from img.adapters.build_context.memory import MemoryContext
from img.application.outputs.solved import BuiltImage
from img.domain.digest import Digest
from img.domain.errors import BuildError
from img.domain.filesystem.changes import ReservedName
from img.domain.filesystem.entry import Entry
from img.domain.filesystem.file_index import FileIndex
from img.domain.filesystem.member_table import MemberTable
from img.domain.filesystem.tree import FileTree
from img.domain.oci.chain import Layer
from tests.support.in_memory_app import InMemoryApp, a_request, image_of

COPY = "FROM scratch\nCOPY . /\n"


def top_layer(app: InMemoryApp, dockerfile: str, files: dict[str, bytes]) -> Layer:
    return image_of(app.build(dockerfile, files)).layers[-1]


def paths_in(app: InMemoryApp, layer: Layer) -> list[str]:
    return [entry.path for entry in app.container.images.trees().index_of(layer)]


def test_the_layer_holds_what_was_chosen_and_its_parents() -> None:
    app = InMemoryApp()

    layer = top_layer(app, "FROM scratch\nCOPY src /app/src/\n", {"src/a": b"1", "b": b"2"})

    assert paths_in(app, layer) == ["app", "app/src", "app/src/a"]


def test_parents_that_are_there_are_in_the_layer() -> None:
    app = InMemoryApp()
    app.publish("base", {"app/old": b"0"})
    app.build("FROM base\nRUN mkdir\n")
    app.commands["mkdir"] = lambda root: root.write("app/x", b"")

    layer = top_layer(app, "FROM base\nRUN mkdir\nCOPY a /app/a\n", {"a": b"1"})

    assert paths_in(app, layer) == ["app", "app/a"]


def test_files_whose_digests_are_known_are_not_read_again() -> None:
    app = InMemoryApp()
    first = app.build(COPY, {"a": b"1", "b": b"2"})
    context = app.contexts.context
    assert isinstance(context, MemoryContext)
    context.remember((entry.path, entry.digest) for entry in entries_of(app, first))
    context.read.clear()

    app.build(COPY)

    assert context.read == []


NOISE = random.Random(3).randbytes(200_000)
MANY = {f"f{n:02}": NOISE + b"%d" % n for n in range(60)}  # in several members


def built_and_changed(app: InMemoryApp, *, first: str = COPY) -> MemoryContext:
    """Build ``first`` with MANY, and return the next context, with one changed file."""
    built = app.build(first, MANY)
    context = MemoryContext(MANY | {"f30": b"changed"})
    context.remember((e.path, e.digest) for e in entries_of(app, built) if e.path != "f30")
    app.contexts.context = context
    return context


def test_of_many_files_only_those_near_a_change_are_packed_again() -> None:
    app = InMemoryApp()
    context = built_and_changed(app)

    again = image_of(app.build(COPY)).layers[-1]

    assert "f30" in context.read
    assert len(context.read) < 40
    assert again == top_layer(InMemoryApp(), COPY, MANY | {"f30": b"changed"})


def test_a_build_without_cache_packs_all_files() -> None:
    app = InMemoryApp()
    context = built_and_changed(app)

    again = image_of(app.build(COPY, request=a_request(no_cache=True))).layers[-1]

    assert set(context.read) == set(MANY)
    assert again == top_layer(InMemoryApp(), COPY, MANY | {"f30": b"changed"})


@pytest.mark.parametrize("fault", ["table", "table of another blob", "no blob"])
def test_a_wrong_older_layer_is_not_used(fault: str) -> None:
    app = InMemoryApp()
    built_and_changed(app)
    (layer,) = app.indexes.diff_ids()
    index = app.indexes.get(layer)
    assert index is not None
    assert index.members is not None
    table = index.members
    if fault == "table":
        first = table.members[0]
        members = [first._replace(stored=first.stored + 1), *table.members[1:]]
        app.indexes.put(layer, FileIndex.of(index, MemberTable(table.blob, members)))
    elif fault == "no blob":
        app.blobs.remove(table.blob)
    else:
        app.indexes.put(layer, FileIndex.of(index, MemberTable(Digest.of(b""), table.members)))

    again = image_of(app.build(COPY)).layers[-1]

    assert again == top_layer(InMemoryApp(), COPY, MANY | {"f30": b"changed"})


def test_files_are_copied_from_a_layer_whatever_its_table_says() -> None:
    app = InMemoryApp()
    dockerfile = f"{COPY}FROM scratch\nCOPY --from=0 f05 f55 /\n"
    app.build(COPY, MANY)
    (layer,) = app.indexes.diff_ids()
    index = app.indexes.get(layer)
    assert index is not None
    assert index.members is not None
    members = [member._replace(size=member.size - 512) for member in index.members.members]
    app.indexes.put(layer, FileIndex.of(index, MemberTable(index.members.blob, members)))

    copied = top_layer(app, dockerfile, MANY)

    assert copied == top_layer(InMemoryApp(), dockerfile, MANY)


class CountedContext(MemoryContext):
    """A context that counts the reads of its files."""

    looked_at = 0

    def tree(self) -> FileTree:
        self.looked_at += 1
        return super().tree()


def test_of_a_context_that_is_as_it_was_no_file_is_looked_at() -> None:
    app = InMemoryApp()
    context = CountedContext({"a": b"1", "b": b"2"})
    app.contexts.context = context
    first = app.build("FROM scratch\nCOPY a /\nCOPY b /\n")
    context.looked_at = 0

    second = app.build("FROM scratch\nCOPY a /\nCOPY b /\n")

    assert context.looked_at == 0
    assert second.target == first.target


def test_a_change_of_what_is_not_copied_is_no_change() -> None:
    app = InMemoryApp()
    first = app.build("FROM scratch\nCOPY a /\nRUN x\n", {"a": b"1", "b": b"2"})
    app.forget_progress()

    second = app.build("FROM scratch\nCOPY a /\nRUN x\n", {"a": b"1", "b": b"other"})

    assert second.target == first.target
    assert app.steps_done == []


def test_large_files_are_read_once_and_known_from_then_on() -> None:
    app = InMemoryApp()
    large = bytes(17 << 20)

    first = app.build(COPY, {"large": large})
    context = app.contexts.context
    second = app.build(COPY, {"large": large})

    assert isinstance(context, MemoryContext)
    assert context.read == ["large"]
    assert set(context.remembered) == {"large"}
    assert second.target == first.target


def test_files_out_of_a_stage_come_straight_from_its_layers() -> None:
    app = InMemoryApp()
    app.publish("tools", {"a": b"1", "b": b"2"}, {"a": b"3"})

    built = app.build("FROM scratch\nCOPY --from=tools /b /a /x/\n", {})

    assert app.files_of(built) == {"x/a": b"3", "x/b": b"2"}
    assert app.snapshotter.workspaces == {}


def test_the_same_files_from_elsewhere_are_the_same_layer() -> None:
    app = InMemoryApp()
    app.publish("one", {"a": b"1"})
    app.publish("two", {"b": b"2"}, {"a": b"1"})
    app.build("FROM scratch\nCOPY --from=one /a /\n", {})
    app.forget_progress()

    app.build("FROM scratch\nCOPY --from=two /a /\n", {})

    assert any(name.endswith("COPY --from=two /a /") for name in app.found)


def test_a_linked_copy_does_not_look_at_the_root() -> None:
    app = InMemoryApp()
    app.publish("base", {"app/old": b"0"})
    app.publish("other", {"else": b"0"})
    files = {"a": b"1"}

    one = top_layer(app, "FROM base\nCOPY --link a /app/a\n", files)
    two = top_layer(app, "FROM other\nCOPY --link a /app/a\n", files)

    assert one == two
    assert paths_in(app, one) == ["app", "app/a"]


def test_heredocs_are_files() -> None:
    app = InMemoryApp()

    built = app.build("FROM scratch\nCOPY <<one <<two /x/\n1\none\n2\ntwo\n", {})

    assert app.files_of(built) == {"x/one": b"1\n", "x/two": b"2\n"}


def test_add_unpacks_archives_and_copy_does_not() -> None:
    app = InMemoryApp()
    files = {"data.tar": a_tar([("in/it", b"1")]), "plain": b"2"}

    added = app.build("FROM scratch\nADD data.tar plain /x/\n", files)
    copied = app.build("FROM scratch\nCOPY data.tar /x/\n", files)

    assert app.files_of(added) == {"x/in/it": b"1", "x/plain": b"2"}
    assert set(app.files_of(copied)) == {"x/data.tar"}


def test_add_unpacks_several_archives_into_one_directory() -> None:
    app = InMemoryApp()
    files = {
        "x/a.tar": a_tar([("d/one", b"1")]),
        "y/a.tar": a_tar([("d/two", b"2")]),
        "z/three": b"3",
    }

    by_name = app.build("FROM scratch\nADD x/a.tar y/a.tar z /to\n", files)
    by_wildcard = app.build("FROM scratch\nADD */a.tar /to\n", files)

    assert app.files_of(by_name) == {"to/d/one": b"1", "to/d/two": b"2", "to/three": b"3"}
    assert app.files_of(by_wildcard) == {"to/d/one": b"1", "to/d/two": b"2"}


def test_a_damaged_archive_is_an_error_of_its_line() -> None:
    files = {"d/data.tar": a_tar([("in/it", bytes(5000))])[:3000]}

    with pytest.raises(BuildError, match=r"cannot unpack /d/data\.tar: .* cut short") as failed:
        InMemoryApp().build("FROM scratch\nADD d/*.tar /x/\n", files)
    assert failed.value.lines == (2, 2)


@pytest.mark.parametrize("changed", ["x/a.tar", "y/a.tar"])
def test_a_change_of_any_of_several_archives_is_a_change(changed: str) -> None:
    app = InMemoryApp()
    files = {"x/a.tar": a_tar([("one", b"1")]), "y/a.tar": a_tar([("two", b"2")])}
    before = app.build("FROM scratch\nADD x/a.tar y/a.tar /to\n", files)

    files[changed] = a_tar([("three", b"3")])
    after = app.build("FROM scratch\nADD x/a.tar y/a.tar /to\n", files)

    assert "to/three" not in app.files_of(before)
    assert app.files_of(after)["to/three"] == b"3"


@pytest.mark.parametrize("name", ["../up", "/../up", "a/../../up", "../../x/../up"])
def test_names_of_an_archive_that_climb_stay_at_the_top(name: str) -> None:
    app = InMemoryApp()

    added = app.build("FROM scratch\nADD data.tar /to\n", {"data.tar": a_tar([(name, b"1")])})

    assert app.files_of(added) == {"to/up": b"1"}


def test_an_owner_that_the_image_does_not_know_is_read_as_buildkit_reads_it() -> None:
    app = InMemoryApp()
    app.publish("base", {"etc/passwd": b"www:x:33:33::/:\n", "etc/group": b"www:x:33:\n"})

    def owner(line: str) -> tuple[int, int]:
        layer = top_layer(app, f"FROM base\n{line}\n", {"a": b"1"})
        (entry,) = app.container.images.trees().index_of(layer)
        return entry.uid, entry.gid

    assert owner("COPY --chown=www:nope a /a") == (33, 33)
    assert owner("COPY --chown=99:nope a /a") == (99, 99)
    assert owner("COPY --chown=nope:nope a /a") == (0, 0)
    assert owner("COPY --chown=nope:www a /a") == (0, 33)
    assert owner("COPY --chown=+5 a /a") == (5, 5)
    assert owner("USER 33:nope\nWORKDIR /w") == (33, 33)


def test_hard_links_of_an_archive_have_what_was_there_when_they_were_made() -> None:
    app = InMemoryApp()
    archive = a_tar([("b", b"first"), ("a", "b"), ("b", b"second"), ("c", "b")])

    added = app.build("FROM scratch\nADD data.tar /\n", {"data.tar": archive})

    assert app.files_of(added) == {"a": b"first", "b": b"second", "c": b"second"}


@pytest.mark.parametrize(
    "dockerfile",
    [
        "FROM scratch\nCOPY missing /\n",
        "FROM scratch\nCOPY ../a /\nCOPY missing /\n",
        "FROM scratch\nCOPY --from=base /missing /\n",
        "FROM base\nCOPY a /file/\n",
        "FROM base\nCOPY . /file\n",
    ],
)
def test_what_cannot_be_copied_is_an_error_of_its_line(dockerfile: str) -> None:
    app = InMemoryApp()
    app.publish("base", {"file": b"0"})

    with pytest.raises(BuildError) as failed:
        app.build(dockerfile, {"a": b"1"})

    assert failed.value.lines is not None
    assert failed.value.excerpt


@pytest.mark.parametrize("name", [".wh.b", "d/.wh...", "d/.wh.."])
@pytest.mark.parametrize("instruction", ["ADD data.tar /", "COPY a /{}", "WORKDIR /{}/x"])
def test_what_would_be_a_deletion_in_a_layer_is_refused(name: str, instruction: str) -> None:
    files = {"data.tar": a_tar([(name, b"1")]), "a": b""}

    with pytest.raises(ReservedName, match=f"/{re.escape(name)} cannot be in a layer"):
        InMemoryApp().build(f"FROM scratch\n{instruction.format(name)}\n", files)


def test_a_copy_that_wildcards_leave_nothing_for_is_a_layer_all_the_same() -> None:
    app = InMemoryApp()

    with_layer = image_of(app.build("FROM scratch\nCOPY a nothing* /\n", {"a": b"1"}))

    assert len(with_layer.layers) == 1


def entries_of(app: InMemoryApp, built: BuiltImage) -> list[Entry]:
    return list(app.container.images.trees().index_of(image_of(built).layers[-1]))


def a_tar(members: Iterable[tuple[str, bytes | str]]) -> bytes:
    """Return an archive of files by their contents, and of hard links by the other name."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            if isinstance(content, str):
                member.type, member.linkname = tarfile.LNKTYPE, content
                archive.addfile(member)
            else:
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()
