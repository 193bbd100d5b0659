"""Permitted changes of ids (setresuid(2), setreuid(2), setuid(2), setfsuid(2), execve(2))."""

from dataclasses import replace

import pytest

from img.adapters.syscall_supervisor.root.credentials import Ids, credentials_of

SAME = 0xFFFF_FFFF
ROOT = Ids.all(0)
APP = Ids.all(1000)


def test_root_becomes_anybody_for_good() -> None:
    assert ROOT.set(1000, privileged=True) == APP


def test_others_go_between_the_ids_they_have() -> None:
    sudo = Ids(1000, 0, 0, 0)

    assert sudo.set(1000, privileged=False) == Ids(1000, 1000, 0, 1000)
    assert Ids(1000, 1000, 0, 1000).set_three(SAME, 0, SAME, privileged=False) == sudo
    for ids in (APP.set, lambda value, **how: APP.set_two(value, SAME, **how)):
        with pytest.raises(PermissionError):
            ids(0, privileged=False)
    with pytest.raises(PermissionError):
        APP.set_three(SAME, SAME, 33, privileged=False)


def test_minus_one_is_no_user() -> None:
    with pytest.raises(ValueError, match="4294967295"):
        ROOT.set(SAME, privileged=True)


def test_two_ids_at_once_take_the_saved_one_along() -> None:
    assert ROOT.set_two(1000, 1000, privileged=True) == APP
    assert ROOT.set_two(SAME, 33, privileged=True) == Ids(0, 33, 33, 33)
    assert Ids(0, 33, 5, 33).set_two(SAME, 0, privileged=False) == Ids(0, 0, 5, 0)


def test_the_id_for_files_follows_and_can_be_set_apart() -> None:
    assert ROOT.set_filesystem(1000, privileged=True) == Ids(0, 0, 0, 1000)
    assert APP.set_filesystem(0, privileged=False) == APP
    assert ROOT.set_filesystem(SAME, privileged=True) == ROOT


def test_privileges_go_with_the_effective_user() -> None:
    root = credentials_of(0, 0, ())

    away = root.with_user(root.user.set_three(SAME, 33, SAME, privileged=True))
    back = away.with_user(away.user.set_three(SAME, 0, SAME, privileged=away.privileged))

    assert (root.privileged, away.privileged, back.privileged) == (True, False, True)


def test_privileges_stay_where_that_was_asked_for_until_a_program_is_executed() -> None:
    root = replace(credentials_of(0, 0, ()), keeps_privileges=True)

    app = root.with_user(root.user.set(1000, privileged=True))

    assert app.privileged
    assert not app.executing(None, None).privileged


def test_a_program_runs_as_its_owner_where_it_says_so() -> None:
    app = credentials_of(1000, 1000, (27,))

    sudo = app.executing(0, None)

    assert sudo.user == Ids(1000, 0, 0, 0)
    assert sudo.privileged
    assert (sudo.group, sudo.groups) == (app.group, (27,))
    assert sudo.as_real().user.filesystem == 1000
