"""An ordinary user of this run of the tests."""

import os
from pathlib import Path
from uuid import uuid4

from tests.support.host import shared_things
from tests.support.host.machine import (
    Account,
    has_subordinate_ids,
    lacking,
    program,
    this_account,
)


def user() -> Account:
    """Return an ordinary user with subordinate ids, made by the first call."""
    program("newuidmap")
    account = shared_things.recall_account(shared_things.once(shared_things.ACCOUNT, _add_account))
    if not has_subordinate_ids(account.name):
        lacking(f"{account.name} has no subordinate ids in /etc/subuid and /etc/subgid")
    return account


def _add_account(place: Path) -> None:
    if os.geteuid() != 0:
        shared_things.remember_account(place, this_account())
        return
    name, home = f"img-{uuid4().hex[:8]}", place / "home"
    shared_things.run(
        program("useradd"), "--create-home", "--home-dir", home, "--shell", "/bin/sh", name
    )
    uid, gid = home.stat().st_uid, home.stat().st_gid
    shared_things.remember_account(place, Account(name=name, uid=uid, gid=gid, home=home))
