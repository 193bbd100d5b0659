"""Archives that ADD unpacks."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img.domain.dockerfile.file_mode import FileMode
from img.domain.errors import ImgError
from img.domain.filesystem.entry import CAPABILITY, DIRECTORY, FILE, HARDLINK, SYMLINK, Entry
from img.domain.filesystem.file_index import FileIndex
from img.domain.filesystem.selection import CopyRules, Selection, select
from img.domain.filesystem.target import ImpossibleHardLink, NotADirectory
from img.domain.filesystem.tree import FileTree
from img.domain.filesystem.unpacking import DeadLink
from tests.unit.domain.filesystem.copies import a_tree, matching, shown


def add(
    *archives: Sequence[Entry], to: str = "/", onto: FileTree | None = None, **more: object
) -> Selection:
    names = [f"{number}.tar" for number in range(len(archives))]
    rules = CopyRules(sources=tuple(names), destination=to, **more)  # type: ignore[arg-type]
    members = dict(zip(names, archives, strict=True))
    return select(a_tree(*names), rules, onto or FileTree(), matching=matching, archives=members)


def test_members_go_through_links_of_the_destination_and_of_the_archive() -> None:
    members = [
        Entry("var/run/x", FILE, 0o600, 1000, 1000, size=2, offset=512),
        Entry("var/run/y", HARDLINK, 0o600, 1000, 1000, link="var/run/x"),
        Entry("new", SYMLINK, link="run"),
        Entry("new/z", FILE, size=1, offset=2048),
    ]
    selection = add(members, to="/d", onto=a_tree("d/var/run->../run", "d/run/"))
    assert shown(selection) == [
        "d/",
        "d/new->run",
        "d/run/",
        "d/run/x <- 0.tar",
        "d/run/y->d/run/x",
        "d/run/z <- 0.tar",
    ]
    assert [item.member for item in selection.items] == ["", "new", "", "var/run/x", "", "new/z"]
    assert selection.items[3].entry.uid == 1000
    assert selection.items[3].entry.offset == 512


def test_directories_that_no_member_stands_for_inherit_the_set_group_id_bit() -> None:
    onto = FileTree.of([FileIndex.of([Entry("p", DIRECTORY, 0o2775, 0, 33)])])

    items = add([Entry("x/f", FILE, size=1, offset=512)], to="/p/d/", onto=onto).items

    found = {item.entry.path: item.entry for item in items}
    assert (found["p/d"].mode, found["p/d"].gid) == (0o2755, 33)
    assert (found["p/d/x"].mode, found["p/d/x"].gid) == (0o2755, 0)


def test_members_of_one_name_are_told_apart_where_links_lead_others_there() -> None:
    members = [Entry(f"{name}/f", FILE, size=1, offset=number) for number, name in enumerate("abc")]
    first, second = (add(members, onto=a_tree("a/", "c/", f"b->{to}")) for to in "ac")

    assert shown(first)[1::2] == shown(second)[1::2] == ["a/f <- 0.tar", "c/f <- 0.tar"]
    known = {"0.tar": "sum"}
    assert first.contents_digest(known) != second.contents_digest(known)


@pytest.mark.parametrize("link", ["/etc", "../../etc", "../../../../etc", "/../etc", "sub/../etc"])
def test_no_link_leads_out_of_the_destination(link: str) -> None:
    members = [
        Entry("etc", DIRECTORY),
        Entry("e", SYMLINK, link=link),
        Entry("e/passwd", FILE),
    ]
    selection = add(members, to="/opt/x", onto=a_tree("etc/passwd", "opt/x/sub/"))
    assert shown(selection) == [
        "opt/",
        "opt/x/",
        f"opt/x/e->{link}",
        "opt/x/etc/",
        "opt/x/etc/passwd <- 0.tar",
    ]


@pytest.mark.parametrize("link", ["/x/d", "gone", "../gone", "/etc", "loops/../gone"])
@pytest.mark.parametrize("below", ["f", "new/f"])
def test_nothing_is_unpacked_behind_a_link_to_nothing(link: str, below: str) -> None:
    members = [Entry("e", SYMLINK, link=link), Entry(f"e/{below}", FILE)]
    with pytest.raises(DeadLink, match=f"cannot unpack /x/e/{below}: /x/e is a link to {link}, "):
        add(members, to="/x", onto=a_tree("x/d/", "etc/"))


def test_directories_are_made_behind_a_link_to_one() -> None:
    members = [Entry("e", SYMLINK, link="d"), Entry("e/new/f", FILE)]
    assert shown(add(members, to="/x", onto=a_tree("x/d/"))) == [
        "x/",
        "x/d/",
        "x/d/new/",
        "x/d/new/f <- 0.tar",
        "x/e->d",
    ]


def test_the_destination_itself_is_found_through_links() -> None:
    selection = add([Entry("f", FILE)], to="/l", onto=a_tree("l->opt", "opt/"))
    assert shown(selection) == ["opt/", "opt/f <- 0.tar"]


PARTS = st.sampled_from(["a", "b", "..", ".", ""])
TARGETS = st.tuples(st.sampled_from(["", "/"]), st.lists(PARTS, min_size=1, max_size=5)).map(
    lambda parts: parts[0] + "/".join(parts[1]) or "/"
)
INNER = st.lists(st.sampled_from("ab"), min_size=1, max_size=3).map("/".join)
MEMBERS = st.lists(
    st.builds(Entry, INNER, st.just(FILE), size=st.integers(0, 9), offset=st.integers(1, 9))
    | st.builds(Entry, INNER, st.just(DIRECTORY))
    | st.builds(Entry, INNER, st.just(SYMLINK), link=TARGETS)
    | st.builds(Entry, INNER, st.just(HARDLINK), link=TARGETS),
    max_size=8,
)
ONTO = st.sampled_from(
    [(), ("a", "b/"), ("d/a->/b", "b/a"), ("d/a->../../a", "a/"), ("d/a/b->/a", "d/b->..")]
)


@given(MEMBERS, ONTO)
def test_nothing_is_ever_outside_the_destination(
    members: list[Entry], onto: tuple[str, ...]
) -> None:
    try:
        selection = add(members, to="/d", onto=a_tree("d/", *onto))
    except ImgError:
        return
    for item in selection.items:
        assert f"{item.entry.path}/".startswith("d/")
        if item.entry.kind == HARDLINK:
            assert item.entry.link.startswith("d/")


@given(MEMBERS, ONTO)
def test_a_layer_of_an_archive_is_a_layer_that_can_be_applied(
    members: list[Entry], onto: tuple[str, ...]
) -> None:
    base = a_tree("d/", *onto)
    try:
        selection = add(members, to="/d", onto=base)
    except ImgError:
        return
    tree = base
    for item in selection.items:  # as unpackers do it: one after another, parents are there
        parent = item.entry.path.rpartition("/")[0]
        assert tree.is_directory(parent)
        linked = tree.get(item.entry.link) if item.entry.kind == HARDLINK else item.entry
        assert linked is not None
        assert linked.kind != DIRECTORY or item.entry.kind == DIRECTORY
        tree = tree.with_layer(FileIndex.of([item.entry]))


def test_of_the_names_of_a_file_the_first_by_sorting_has_the_content() -> None:
    members = [
        Entry("b", FILE, size=2, offset=512),
        Entry("a", HARDLINK, link="b"),
        Entry("c", HARDLINK, link="a"),
        Entry("b", FILE, size=9, offset=2048),  # another file, which leaves the names of the first
        Entry("d", HARDLINK, link="of-the-base"),
    ]

    items = add(members, onto=a_tree("of-the-base")).items

    found = [(item.entry.path, item.entry.kind, item.entry.link, item.member) for item in items]
    assert found == [
        ("a", FILE, "", "b"),
        ("b", FILE, "", "b"),
        ("c", HARDLINK, "a", ""),
        ("d", HARDLINK, "of-the-base", ""),
    ]
    assert [item.entry.size for item in items[:2]] == [2, 9]


def test_names_of_one_file_have_what_the_last_of_them_says() -> None:
    members = [
        Entry("f", FILE, 0o755, 1, 2, size=2, mtime=5, offset=512),
        Entry("s", SYMLINK, 0o640, link="f"),
        Entry("g", HARDLINK, 0o4711, 3, 4, mtime=6, link="f"),
        Entry("t", HARDLINK, 0o600, 5, 6, link="s"),
    ]
    found = {item.entry.path: item.entry for item in add(members).items}
    assert {found[name][2:5] for name in "fg"} == {(0o4711, 3, 4)}
    assert {found[name].mtime for name in "fg"} == {6}
    assert {found[name][2:5] for name in "st"} == {(0o777, 5, 6)}


def test_a_hard_link_takes_the_capabilities_of_its_file_as_each_new_owner_does() -> None:
    user, capable = ("user.x", b"1"), (CAPABILITY, b"net_raw")
    members = [
        Entry("f", FILE, xattrs=(capable, user)),
        Entry("g", HARDLINK, link="f"),
        Entry("h", FILE, xattrs=(capable,)),
        Entry("i", HARDLINK, link="h", xattrs=((CAPABILITY, b"all"), user)),
    ]
    found = {item.entry.path: item.entry.xattrs for item in add(members).items}
    assert found["f"] == (user,)
    assert found["h"] == ((CAPABILITY, b"all"), user)


def test_a_file_of_the_base_keeps_what_it_has_under_its_new_name() -> None:
    base = FileTree.of([FileIndex.of([Entry("f", FILE, 0o600, 7, 8, size=3, mtime=9, offset=0)])])
    (item,) = add([Entry("g", HARDLINK, 0o644, 1, 1, link="f")], onto=base).items
    assert item.entry == Entry("g", HARDLINK, 0o600, 7, 8, mtime=9, link="f")


def test_an_archive_replaces_what_is_in_its_way() -> None:
    members = [Entry("d", DIRECTORY), Entry("d/f", FILE), Entry("d", FILE), Entry("g", DIRECTORY)]
    assert shown(add(members, onto=a_tree("d/x", "g"))) == ["d <- 0.tar", "g/"]


def test_nothing_goes_below_a_file() -> None:
    with pytest.raises(NotADirectory, match="/f"):
        add([Entry("f", FILE), Entry("f/x", FILE)])


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ([Entry("d/f", FILE), Entry("d", HARDLINK, link="d/f")], "replaces the directory"),
        ([Entry("b", HARDLINK, link="b/f")], "replaces the directory"),
        ([Entry("d", DIRECTORY), Entry("h", HARDLINK, link="d")], "is a directory"),
        ([Entry("h", HARDLINK, link="b")], "is a directory"),
        ([Entry("h", HARDLINK, link="nothing")], "no such file"),
        ([Entry("h", HARDLINK, link="h")], "no such file"),
        ([Entry("h", FILE), Entry("h", HARDLINK, link="h")], "replaces that file"),
        ([Entry("b/f", HARDLINK, link="b/../b/f")], "replaces that file"),
        ([Entry("h", HARDLINK, link="later"), Entry("later", FILE)], "no such file"),
        ([Entry("b", FILE), Entry("h", HARDLINK, link="b/f")], "no such file"),
        ([Entry("h", HARDLINK, link="g"), Entry("g", FILE)], "another file takes that name"),
        ([Entry("h", HARDLINK, link="b/f"), Entry("b", FILE)], "another file takes that name"),
        ([Entry("h", HARDLINK, link="b/f"), Entry("b", SYMLINK, link="c")], "another file takes"),
    ],
)
def test_a_hard_link_that_there_cannot_be_is_refused(members: list[Entry], reason: str) -> None:
    with pytest.raises(ImpossibleHardLink, match=reason):
        add(members, onto=a_tree("b/", "b/f", "g"))


def test_a_hard_link_to_a_file_outside_the_destination_is_refused() -> None:
    with pytest.raises(ImpossibleHardLink, match="/opt/h a hard link to /opt/etc/passwd"):
        add([Entry("h", HARDLINK, link="etc/passwd")], to="/opt", onto=a_tree("etc/passwd"))


def test_modes_of_archives_stay_whatever_chmod_says() -> None:
    members = [Entry("d/s/f", FILE, 0o4755), Entry("e", DIRECTORY, 0o1777)]
    mode = FileMode(octal=0o700)
    items = add(members, to="/z/y/", mode=mode.apply, made_mode=mode.of_made_directories).items
    modes = {item.entry.path: item.entry.mode for item in items}
    assert modes.pop("z/y/d/s/f") == 0o4755
    assert modes.pop("z/y/e") == 0o1777
    assert modes == dict.fromkeys(("z", "z/y", "z/y/d", "z/y/d/s"), 0o755)


def test_an_owner_is_not_given_to_directories_that_an_archive_has_no_member_for() -> None:
    members = [Entry("d/s/f", FILE, uid=1, gid=1), Entry("e", DIRECTORY, uid=1, gid=1)]
    items = add(members, to="/z/y/", owner=(50, 60)).items
    owners = {item.entry.path: (item.entry.uid, item.entry.gid) for item in items}
    assert owners == {
        "z": (50, 60),
        "z/y": (50, 60),
        "z/y/d": (0, 0),
        "z/y/d/s": (0, 0),
        "z/y/d/s/f": (50, 60),
        "z/y/e": (50, 60),
    }


def test_several_archives_go_to_one_destination_later_over_earlier() -> None:
    first = [Entry("f", FILE, size=1, offset=512), Entry("d/a", FILE)]
    second = [
        Entry("f", FILE, size=2, offset=512),
        Entry("d/b", FILE),
        Entry("g", HARDLINK, link="f"),
    ]
    assert shown(add(first, second, to="/x")) == [
        "x/",
        "x/d/",
        "x/d/a <- 0.tar",
        "x/d/b <- 1.tar",
        "x/f <- 1.tar",
        "x/g->x/f",
    ]
