"""COPY's rules for links, wildcards, excluded names and parents."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img.domain.filesystem.entry import DIRECTORY, FILE, HARDLINK, SOCKET, SYMLINK, Entry
from img.domain.filesystem.file_index import FileIndex
from img.domain.filesystem.selection import (
    CopyRules,
    select,
)
from img.domain.filesystem.source_match import NoDirectory, NoSocket, SourceNotFound, match_sources
from img.domain.filesystem.tree import ClosedDirectory, FileTree
from img.domain.go.path_match import literal
from tests.unit.domain.filesystem.copies import a_tree, copy, matching, shown


def test_a_named_link_is_followed_and_gives_its_name() -> None:
    assert shown(copy(a_tree("l->f", "f"), "l", to="/x/")) == ["x/", "x/l <- f"]


def test_a_named_link_to_a_directory_gives_what_is_in_there() -> None:
    assert shown(copy(a_tree("l->d", "d/f"), "l", to="/x")) == ["x/", "x/f <- d/f"]


def test_links_among_the_parents_of_a_source_are_followed() -> None:
    assert shown(copy(a_tree("l->/d", "d/f"), "l/f", to="/x/")) == ["x/", "x/f <- d/f"]


def test_a_link_found_in_a_directory_stays_a_link() -> None:
    assert shown(copy(a_tree("d/l->../f", "f"), "d", to="/x")) == ["x/", "x/l->../f"]


def test_links_that_a_wildcard_matches_are_followed() -> None:
    source = a_tree("s/l0->f", "s/l1->deeper", "s/deeper->f", "s/f")
    assert shown(copy(source, "s/l*", to="/x/")) == ["x/", "x/l0 <- s/f", "x/l1 <- s/f"]


def test_links_of_the_destination_are_followed_inside_the_root() -> None:
    onto = a_tree("etc/conf->/../../opt/conf", "opt/conf/")
    assert shown(copy(a_tree("f"), "f", to="/etc/conf", onto=onto)) == [
        "opt/",
        "opt/conf/",
        "opt/conf/f <- f",
    ]


def test_a_link_in_the_destination_that_leads_nowhere_is_made_to_lead_there() -> None:
    assert shown(copy(a_tree("f"), "f", to="/l/", onto=a_tree("l->/a/b"))) == [
        "a/",
        "a/b/",
        "a/b/f <- f",
    ]


def test_a_link_with_the_name_of_a_copied_file_is_replaced() -> None:
    onto = a_tree("x/", "x/f->/elsewhere")
    assert shown(copy(a_tree("f"), "f", to="/x/", onto=onto)) == ["x/", "x/f <- f"]


def test_without_a_destination_tree_no_link_is_followed() -> None:
    rules = CopyRules(sources=("f",), destination="/l/")
    assert shown(select(a_tree("f"), rules, None, matching=matching)) == ["l/", "l/f <- f"]


def test_wildcards_do_not_cross_slashes() -> None:
    assert shown(copy(a_tree("a1", "a2", "d/a3"), "a*", to="/x/")) == [
        "x/",
        "x/a1 <- a1",
        "x/a2 <- a2",
    ]


def test_of_directories_that_a_wildcard_matches_the_contents_are_merged() -> None:
    source = a_tree("d1/f", "d2/g", "dirt")
    assert shown(copy(source, "d*", to="/x/")) == [
        "x/",
        "x/dirt <- dirt",
        "x/f <- d1/f",
        "x/g <- d2/g",
    ]


def test_a_wildcard_without_a_match_copies_nothing_and_makes_nothing() -> None:
    assert shown(copy(a_tree("f", "d/g"), "nope*", "d/*.no", "d/*/g", to="/x/")) == []


@pytest.mark.parametrize("word", ["target/*.jar", "d/sub/*/x", "gone/../no/a?", "dang/[a-z]"])
@pytest.mark.parametrize("parents", [False, True])
def test_a_wildcard_below_a_directory_that_is_not_there_is_an_error(
    word: str, parents: bool
) -> None:
    source = a_tree("f", "d/g", "dang->nowhere", "top/x")
    word = f"{word}/./x" if parents else word
    with pytest.raises(SourceNotFound, match="not found"):
        copy(source, word, to="/x/", parents=parents)


@pytest.mark.parametrize("word", ["*/./a", "./*/./**/a", "?/./*", "f*/./none*"])
def test_a_file_above_the_pivot_is_copied_from_stages_alone(word: str) -> None:
    source = a_tree("d/a", "f", "e/")

    assert "x/f <- f" not in shown(copy(source, word, to="/x/", parents=True))
    from_stage = copy(source, word, to="/x/", parents=True, in_context=False)
    assert "x/f <- f" in shown(from_stage)


def test_a_directory_above_files_of_two_sources_has_the_mode_of_the_source() -> None:
    chosen = copy(
        a_tree("p/q/", "p/q/x", "p/y"),
        "p/q/x",
        "p/y",
        to="/o/",
        parents=True,
        mode=lambda *_: 0o700,
    )

    modes = {item.entry.path: item.entry.mode for item in chosen.items}
    assert (modes["o/p"], modes["o/p/q"], modes["o/p/y"]) == (0o755, 0o700, 0o700)


def test_a_file_has_nothing_below_a_pivot() -> None:
    for in_context in (True, False):
        with pytest.raises(SourceNotFound, match='"/f/a": not found'):
            copy(a_tree("f"), "f/./a", to="/x/", parents=True, in_context=in_context)


@pytest.mark.parametrize("word", ["f/*", "d/g/?", "l/*"])
def test_a_wildcard_below_a_file_is_an_error_in_a_context_alone(word: str) -> None:
    source = a_tree("f", "d/g", "l->f")

    with pytest.raises(NoDirectory, match="is no directory"):
        copy(source, word, to="/x/")
    assert shown(copy(source, word, "f", to="/x/", in_context=False)) == ["x/", "x/f <- f"]


def test_the_error_says_which_directory_was_meant() -> None:
    with pytest.raises(SourceNotFound) as caught:
        copy(a_tree("target/app.jar"), "traget/*.jar", to="/x/")
    assert caught.value.message == '"/traget": not found'
    assert caught.value.hint == "did you mean /target?"


@pytest.mark.parametrize("name", ["dev-x\\x2dy.mount", "no\\*pe", "\\", "a\\[b]", "\\?"])
def test_a_backslash_does_not_make_a_wildcard_of_a_name(name: str) -> None:
    assert shown(copy(a_tree(name, "other"), name, to="/x/")) == ["x/", f"x/{name} <- {name}"]
    with pytest.raises(SourceNotFound):
        copy(a_tree("other", "devx"), name, to="/x/")


def test_in_a_wildcard_a_backslash_takes_the_meaning_of_what_follows() -> None:
    source = a_tree("a*1", "ab1", "d/x\\y", "d/xy")
    assert shown(copy(source, "a\\*?", to="/x/")) == ["x/", "x/a*1 <- a*1"]
    assert shown(copy(source, "?/x\\y", to="/x/")) == ["x/", "x/xy <- d/xy"]
    assert shown(copy(source, "?/x\\\\y", to="/x/")) == ["x/", "x/x\\y <- d/x\\y"]


NAMES = st.text("ab*?[]^-\\", min_size=1, max_size=5)


@given(st.lists(NAMES, min_size=1, max_size=3), st.lists(NAMES, max_size=3))
def test_a_literal_source_names_its_path_and_nothing_else(
    path: list[str], others: list[str]
) -> None:
    named = "/".join(path)
    tree = dict.fromkeys([*others, *(f"{path[0]}/{name}" for name in others), named])
    source = a_tree(*(name for name in tree if not f"{named}/".startswith(f"{name}/")), named)

    assert [match.path for match in match_sources(source, [literal(named)])] == [named]


def test_excluded_files_stay_out_and_their_directories_come() -> None:
    source = a_tree("d/s/a.mp3", "d/s/b.txt", "d/c.mp3")
    assert shown(copy(source, "d", to="/x", exclude=("*.mp3", "*/*.mp3"))) == [
        "x/",
        "x/s/",
        "x/s/b.txt <- d/s/b.txt",
    ]


def test_an_excluded_directory_takes_all_below_with_it() -> None:
    source = a_tree("app/storage/cache/f", "app/storage/views/g")
    assert shown(copy(source, "app", to="/app", exclude=("storage/views",))) == [
        "app/",
        "app/storage/",
        "app/storage/cache/",
        "app/storage/cache/f <- app/storage/cache/f",
    ]


def test_a_file_that_is_named_is_not_excluded() -> None:
    assert shown(copy(a_tree("a.mp3"), "a.mp3", to="/x/", exclude=("*.mp3",))) == [
        "x/",
        "x/a.mp3 <- a.mp3",
    ]


def test_parents_are_kept_with_their_metadata_from_the_first_name_on() -> None:
    source = FileTree.of(
        [FileIndex.of([Entry("a", DIRECTORY, 0o700), Entry("a/b", FILE), Entry("a/c", FILE)])]
    )
    selection = copy(source, "a/b", to="/x/", parents=True)
    assert shown(selection) == ["x/", "x/a/", "x/a/b <- a/b"]
    assert selection.items[1].entry.mode == 0o700


def test_a_pivot_drops_the_parents_before_it() -> None:
    source = a_tree("x/a.txt", "x/y/a.txt", "x/y/b.md")
    assert shown(copy(source, "./x/./y/*.txt", to="/p/", parents=True)) == [
        "p/",
        "p/y/",
        "p/y/a.txt <- x/y/a.txt",
    ]


@pytest.mark.parametrize("word", [".", "/", "e/..", "d/../././"])
def test_the_whole_source_is_copied_with_parents_but_for_what_is_excluded(word: str) -> None:
    source = a_tree("a.md", "d/", "d/b.txt", "d/c.md", "e/")
    selection = copy(source, word, to="/x/", parents=True, exclude=("*.md", "e"))
    assert shown(selection) == ["x/", "x/d/", "x/d/b.txt <- d/b.txt", "x/d/c.md <- d/c.md"]


@pytest.mark.parametrize("word", ["d/./", "./d/./.", "d/././"])
def test_all_that_is_below_a_pivot_is_copied_but_for_what_is_excluded(word: str) -> None:
    source = a_tree("d/", "d/a.md", "d/b.txt", "d/e/", "d/e/f")
    selection = copy(source, word, to="/x/", parents=True, exclude=("*.md",))
    assert shown(selection) == ["x/", "x/b.txt <- d/b.txt", "x/e/", "x/e/f <- d/e/f"]


def test_parents_of_wildcards_come_only_where_something_matches() -> None:
    source = a_tree("x/a.txt", "x/y/a.txt", "x/z/b.txt", "y/b.txt")
    assert shown(copy(source, "x/*/a.txt", "*/b.txt", to="/p/", parents=True)) == [
        "p/",
        "p/x/",
        "p/x/y/",
        "p/x/y/a.txt <- x/y/a.txt",
        "p/y/",
        "p/y/b.txt <- y/b.txt",
    ]


def test_a_missing_plain_path_is_an_error_with_parents_too() -> None:
    with pytest.raises(SourceNotFound, match="/a/nope"):
        copy(a_tree("a/b"), "a/nope", to="/x/", parents=True)


def test_parents_are_followed_through_no_link() -> None:
    source = a_tree("l->d", "d/f", "s/lx->../d")
    with pytest.raises(SourceNotFound) as caught:
        copy(source, "l/f", to="/p/", parents=True)
    assert caught.value.message == '"/l/f": not found'
    assert caught.value.hint == "/l is a link to d, and --parents follows no links"
    with pytest.raises(SourceNotFound, match='"/s/lx/f": not found'):
        copy(source, "s/./lx/f", to="/p/", parents=True)


def test_a_link_before_the_pivot_is_followed() -> None:
    source = a_tree("l->d", "d/e/f")
    assert shown(copy(source, "l/./e/f", to="/p/", parents=True)) == [
        "p/",
        "p/e/",
        "p/e/f <- d/e/f",
    ]


@pytest.mark.parametrize("link", ["nowhere", "/f", "../f", "dang"])
def test_a_link_is_copied_with_its_parents_wherever_it_leads(link: str) -> None:
    source = a_tree(f"d/dang->{link}", "f")
    assert shown(copy(source, "d/dang", to="/p/", parents=True)) == [
        "p/",
        "p/d/",
        f"p/d/dang->{link}",
    ]


def test_what_is_excluded_is_not_found_with_parents() -> None:
    source = a_tree("d/a.md", "d/b.txt")
    with pytest.raises(SourceNotFound, match=r'"/d/a\.md": not found'):
        copy(source, "d/a.md", to="/p/", parents=True, exclude=("d/*.md",))
    assert shown(copy(source, "d", to="/p/", parents=True, exclude=("d/*.md",))) == [
        "p/",
        "p/d/",
        "p/d/b.txt <- d/b.txt",
    ]


def closed_tree(*closed: str) -> FileTree:
    words = ("d", "d/f", "private", "private/db", "l")
    entries = [
        Entry("l", SYMLINK, link="private")
        if word == "l"
        else Entry(word, FILE if word == "d/f" else DIRECTORY)
        for word in words
    ]
    reasons = dict.fromkeys(closed or ("private/db",), "permission denied")
    return FileTree.of_files(entries, reasons)


@pytest.mark.parametrize("word", ["d", "d/f", "*/f", "d/*", "**/f", "[d]"])
@pytest.mark.parametrize("parents", [False, True])
def test_a_directory_that_may_not_be_read_and_is_not_wanted_does_no_harm(
    word: str, parents: bool
) -> None:
    for closed in (closed_tree(), closed_tree("private")):
        assert "f <- d/f" in shown(copy(closed, word, to="/x/", parents=parents))[-1]


@pytest.mark.parametrize(
    "word",
    ["", "private", "private/db", "private/db/f", "private/*", "private/db/*", "l", "l/db", "*"],
)
@pytest.mark.parametrize("parents", [False, True])
def test_a_directory_that_may_not_be_read_is_refused_where_it_is_wanted(
    word: str, parents: bool
) -> None:
    if parents and word.startswith("l"):
        return  # the link itself
    with pytest.raises(ClosedDirectory) as caught:
        copy(closed_tree(), word, to="/x/", parents=parents)
    assert caught.value.message == "open private/db: permission denied"
    assert caught.value.exit_code == 5


def test_what_excludes_leave_out_of_a_closed_directory_does_no_harm() -> None:
    selection = copy(closed_tree("private"), "", to="/", exclude=("private",))
    assert "d/f <- d/f" in shown(selection)


def test_nothing_is_found_where_not_even_the_root_may_be_read() -> None:
    with pytest.raises(ClosedDirectory, match=r"open \.: permission denied"):
        copy(FileTree.of_files([], {"": "permission denied"}), "f", to="/")


def test_a_socket_is_refused_by_name_and_left_out_of_a_directory() -> None:
    source = FileTree.of_files(
        [Entry("d", DIRECTORY), Entry("d/s", SOCKET), Entry("d/f", FILE), Entry("s", SOCKET)]
    )
    assert shown(copy(source, "d", to="/x")) == ["x/", "x/f <- d/f"]
    assert shown(copy(source, "d/*", to="/x/")) == ["x/", "x/f <- d/f"]
    assert shown(copy(source, "d/*", to="/x/", parents=True))[2:] == ["x/d/f <- d/f"]
    for parents in (False, True):
        with pytest.raises(NoSocket, match="/d/s is a socket, which no image can hold"):
            copy(source, "d/s", to="/x/", parents=parents)


def test_names_of_one_file_stay_together() -> None:
    source = FileTree.of(
        [
            FileIndex.of(
                [
                    Entry("d", DIRECTORY),
                    Entry("d/z", FILE, size=3, digest="z", offset=512),
                    Entry("d/a", HARDLINK, link="d/z"),
                ]
            )
        ]
    )
    first, second = [item.entry for item in copy(source, "d", to="/x").items[1:]]
    assert (first.path, first.kind, first.digest) == ("x/a", FILE, "z")
    assert (second.path, second.kind, second.link) == ("x/z", HARDLINK, "x/a")


def test_names_of_one_file_in_two_sources_are_parted() -> None:
    tree = FileTree.of(
        [FileIndex.of([Entry("a", FILE, offset=512), Entry("b", HARDLINK, link="a")])]
    )
    assert [i.entry.kind for i in copy(tree, "a", "b", to="/x/").items] == [DIRECTORY, FILE, FILE]
