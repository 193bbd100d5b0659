from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img.domain.errors import BuildError
from img.domain.filesystem.ownership import (
    IdOutOfRange,
    ImpossibleId,
    UnknownGroup,
    UnknownUser,
    UserIdentity,
    lookup_owner,
    lookup_user,
)

PASSWD = """\
# comment:x:7:7::/:
root:x:0:0:root:/root:/bin/sh

app:x:1000:1001:App:/home/app:/bin/sh
bare:x:5:6
broken:x:many:1:::
twin:x:1000:9::/twin:
"""
GROUP = """\
root:x:0:
wheel:x:10:root,app
app:x:1001:
audio:x:29:app,other
1234:x:77:
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", UserIdentity(uid=0, gid=0, groups=(0, 10), home="/root")),
        ("root", UserIdentity(uid=0, gid=0, groups=(0, 10), home="/root")),
        ("app", UserIdentity(uid=1000, gid=1001, groups=(1001, 10, 29), home="/home/app")),
        ("1000", UserIdentity(uid=1000, gid=1001, groups=(1001, 10, 29), home="/home/app")),
        ("app:", UserIdentity(uid=1000, gid=1001, groups=(1001, 10, 29), home="/home/app")),
        ("app:audio", UserIdentity(uid=1000, gid=29, groups=(29,), home="/home/app")),
        ("app:4000", UserIdentity(uid=1000, gid=4000, groups=(4000,), home="/home/app")),
        (":audio", UserIdentity(uid=0, gid=29, groups=(29,), home="/root")),
        ("4242", UserIdentity(uid=4242, gid=0, groups=(0,), home="/")),
        ("4242:43", UserIdentity(uid=4242, gid=43, groups=(43,), home="/")),
        ("bare", UserIdentity(uid=5, gid=6, groups=(6,), home="/")),
        ("0005", UserIdentity(uid=5, gid=6, groups=(6,), home="/")),
    ],
)
def test_user_is_read_as_runc_reads_it(text: str, expected: UserIdentity) -> None:
    assert lookup_user(text, PASSWD, GROUP) == expected


def test_numbers_need_no_files() -> None:
    assert lookup_user("12:34", "", "").groups == (34,)
    assert lookup_user("", "", "") == UserIdentity(uid=0, gid=0, groups=(0,), home="/")


@pytest.mark.parametrize("name", ["nobody", "+", "-", "1_0", "٣"])
def test_an_unknown_user_is_named_in_the_words_of_runc(name: str) -> None:
    with pytest.raises(UnknownUser) as caught:
        lookup_user(name, PASSWD, GROUP)
    assert caught.value.message == (
        f"unable to find user {name}: no matching entries in passwd file"
    )


def test_two_numbers_may_be_any_of_the_kernel() -> None:
    passwd = "root:x:5:6::/:\nbig:x:4294967294:7::/big:\n"
    assert lookup_user("4294967294:2147483648", passwd, "") == UserIdentity(
        uid=2**32 - 2, gid=2**31, groups=(2**31,), home="/big"
    )
    assert (lookup_user("root:root", passwd, "").uid, lookup_user("root", passwd, "").uid) == (0, 5)


def test_fields_that_lack_or_are_no_numbers_are_0() -> None:
    passwd = "short:x:1000\nodd:x:many:1:::\nonly\n#note:x:77:78::/note:\nminus:x:-2:-3\n"
    group = "  # g:x:5:app\nempty:x\nfew:x:44\n"
    for name, ids in {"short": (1000, 0), "odd": (0, 1), "only": (0, 0)}.items():
        assert lookup_owner(name, passwd, group)[:2] == ids
        user = lookup_user(name, passwd, group)
        assert (user.uid, user.gid) == ids
    assert lookup_owner("minus", passwd, group)[:2] == (2**32 - 2, 2**32 - 3)
    assert lookup_user("77", passwd, group).home == "/note"
    assert lookup_owner("1:empty", passwd, group)[:2] == (1, 0)
    assert lookup_owner("1:few", passwd, group)[:2] == (1, 44)


def test_an_unknown_group_is_named_in_the_words_of_runc() -> None:
    with pytest.raises(UnknownGroup, match="unable to find group x: no matching entries in group"):
        lookup_user("app:x", PASSWD, GROUP)


@pytest.mark.parametrize(
    "text", ["2147483648", "app:2147483648", "9" * 5000, "-1", "5:-1", "1:4294967295"]
)
def test_a_number_that_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(IdOutOfRange):
        lookup_user(text, PASSWD, GROUP)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1000", (1000, 1000)),
        ("7:8", (7, 8)),
        ("+7", (7, 7)),
        ("007:+8", (7, 8)),
        ("-0", (0, 0)),
        ("app", (1000, 1001)),
        ("app:audio", (1000, 29)),
        ("app:", (1000, 0)),
        ("app:root", (1000, 0)),
        ("55:audio", (55, 29)),
        (":audio", (0, 29)),
        ("", (0, 0)),
        ("-1", (0, 0)),  # chown(2) does not change the owner of the new file
        ("-1:-1", (0, 0)),
        ("5:-1", (5, 0)),
        ("-2", (2**32 - 2, 2**32 - 2)),
        ("-2147483648", (2**31, 2**31)),
        ("2147483647", (2**31 - 1, 2**31 - 1)),
    ],
)
def test_an_owner_is_read_as_buildkit_reads_chown(text: str, expected: tuple[int, int]) -> None:
    assert lookup_owner(text, PASSWD, GROUP) == (*expected, ())


@pytest.mark.parametrize("text", ["2147483648", "-2147483649", "9" * 5000])
def test_a_number_beyond_32_bits_is_the_name_of_an_owner(text: str) -> None:
    assert lookup_owner(text, "", "").unknown
    assert lookup_owner(text, f"{text}:x:5:6\n", "") == (5, 6, ())


def test_root_is_0_whatever_the_files_say() -> None:
    passwd, group = "root:x:5:6::/:\n", "root:x:7:\n"
    assert lookup_owner("root:root", passwd, group) == (0, 0, ())
    assert lookup_owner("root", passwd, group) == (0, 0, ())


@pytest.mark.parametrize("user", ["", "root", "7", "+7", "app", "who"])
@pytest.mark.parametrize("group", [None, "", "root", "8", "audio", "whose"])
def test_an_unknown_user_is_root_and_an_unknown_group_is_as_if_not_there(
    user: str, group: str | None
) -> None:
    text = user if group is None else f"{user}:{group}"
    ids = {"7": (7, 7), "+7": (7, 7), "app": (1000, 1001)}.get(user, (0, 0))
    groups = {"": 0, "root": 0, "8": 8, "audio": 29}
    unknown = [f"user {user}"] * (user == "who") + [f"group {group}"] * (group == "whose")

    found = lookup_owner(text, PASSWD, GROUP)

    gid = ids[1] if group is None else groups.get(group, ids[1])
    assert (found.uid, found.gid) == (ids[0], gid)
    assert [error.message.split(":")[0] for error in found.unknown] == [
        f"unable to find {name}" for name in unknown
    ]


def test_a_number_is_no_name() -> None:
    passwd = "7:x:5:6::/:\nseven:x:7:8::/:\n"
    assert lookup_user("7", passwd, "").gid == 8
    assert lookup_owner("7", passwd, "")[:2] == (7, 7)


def test_what_is_behind_a_second_colon_does_not_count_for_user() -> None:
    assert lookup_user("app:audio:x", PASSWD, GROUP).gid == 29


IMPOSSIBLE = "evil:x:9999999999:0::/:\nworse:x:1:4294967295::/:\nmost:x:4294967294:1::/:\n"


@pytest.mark.parametrize(("name", "number"), [("evil", 9999999999), ("worse", 4294967295)])
@pytest.mark.parametrize("look_up", [lookup_user, lookup_owner])
def test_a_user_whose_number_no_process_can_have_is_refused(
    look_up: Callable[[str, str, str], object], name: str, number: int
) -> None:
    with pytest.raises(ImpossibleId) as caught:
        look_up(name, IMPOSSIBLE, "")
    assert caught.value.number == number


def test_the_largest_number_is_one() -> None:
    assert lookup_user("most", IMPOSSIBLE, "").uid == 2**32 - 2


def test_a_group_whose_number_no_process_can_have_is_refused() -> None:
    group = "bad:x:4294967295:app\n"
    for text in ("app", "0:bad"):
        with pytest.raises(ImpossibleId):
            lookup_user(text, PASSWD, group)
    with pytest.raises(ImpossibleId):
        lookup_owner("0:bad", PASSWD, group)
    assert lookup_user("root", PASSWD, group).uid == 0


NUMBERS = st.integers(-(2**70), 2**70) | st.sampled_from([2**31, 2**32 - 2, 2**32 - 1, 2**64])
FIELDS = NUMBERS.map(str) | st.text(max_size=4)
ROWS = st.lists(st.lists(FIELDS | st.sampled_from(["app", "x"]), max_size=6).map(":".join))
FILES = ROWS.map("\n".join) | st.text()


@given(FIELDS | st.sampled_from(["app", "app:x", "0:x"]), FILES, FILES)
def test_whatever_the_files_say_the_numbers_fit_the_kernel(
    text: str, passwd: str, group: str
) -> None:
    try:
        user = lookup_user(text, passwd, group)
        uid, gid, _ = lookup_owner(text, passwd, group)
    except BuildError:
        return
    assert all(0 <= each < 2**32 - 1 for each in (user.uid, *user.groups, uid, gid))


@pytest.mark.parametrize("end", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\r"])
def test_nothing_but_a_line_feed_ends_a_line(end: str) -> None:
    passwd = f"app:x:1000:1000:App{end}evil:x:0:0::/:/bin/sh\n"
    assert lookup_owner("app", passwd, "").uid == 1000
    with pytest.raises(UnknownUser):
        lookup_user("evil", passwd, "")
