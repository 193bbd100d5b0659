import pytest

from img.domain.filesystem.ownership import (
    IdOutOfRange,
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


@pytest.mark.parametrize("name", ["nobody", "broken", "-1", "+"])
def test_an_unknown_user_is_named_in_the_words_of_runc(name: str) -> None:
    with pytest.raises(UnknownUser) as caught:
        lookup_user(name, PASSWD, GROUP)
    assert caught.value.message == (
        f"unable to find user {name}: no matching entries in passwd file"
    )


def test_an_unknown_group_is_named_in_the_words_of_runc() -> None:
    with pytest.raises(UnknownGroup, match="unable to find group x: no matching entries in group"):
        lookup_user("app:x", PASSWD, GROUP)


@pytest.mark.parametrize("text", ["2147483648", "1:2147483648", "9" * 5000])
def test_a_number_that_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(IdOutOfRange):
        lookup_user(text, PASSWD, GROUP)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1000", (1000, 1000)),
        ("7:8", (7, 8)),
        ("app", (1000, 1001)),
        ("app:audio", (1000, 29)),
        ("app:", (1000, 0)),
        ("55:audio", (55, 29)),
        (":audio", (0, 29)),
        ("", (0, 0)),
    ],
)
def test_an_owner_is_read_as_buildkit_reads_chown(text: str, expected: tuple[int, int]) -> None:
    assert lookup_owner(text, PASSWD, GROUP) == expected


def test_an_owner_must_exist() -> None:
    with pytest.raises(UnknownUser):
        lookup_owner("who", PASSWD, GROUP)
    with pytest.raises(UnknownGroup):
        lookup_owner("app:who", PASSWD, GROUP)
