"""Processes carry the number of their credentials."""

import os
import resource

from img.adapters.syscall_supervisor.root.credentials import credentials_of
from img.adapters.syscall_supervisor.root.identities import RLIMIT_LOCKS, Identities
from tests.unit.adapters.linux.forked import exit_code_of

ROOT = credentials_of(0, 0, ())
APP = credentials_of(1000, 1000, ())


def test_everybody_is_the_first_one_at_first() -> None:
    assert Identities(APP).of(os.getpid()) == APP


def test_children_are_who_their_parents_were_when_they_were_forked() -> None:
    def remembers() -> int:
        identities = Identities(ROOT)
        identities.set(os.getpid(), APP)
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.read(reader, 1)
            os._exit(0)
        identities.set(os.getpid(), credentials_of(33, 33, ()))
        kept = identities.of(child) == APP
        os.write(writer, b"x")
        os.waitpid(child, 0)
        return 0 if kept else 1

    assert exit_code_of(remembers) == 0


def test_the_hard_limit_stays() -> None:
    def stays() -> int:
        before = resource.prlimit(0, RLIMIT_LOCKS)[1]
        Identities(ROOT).set(os.getpid(), APP)
        return 0 if resource.prlimit(0, RLIMIT_LOCKS)[1] == before else 1

    assert exit_code_of(stays) == 0
