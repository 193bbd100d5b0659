"""Changes that steps of a build make to hard links, as a table of functions."""

import os
import shutil
from collections.abc import Callable

from img.testing.snapshots import write
from tests.support.snapshots.snapshot_steps import (
    Step,
    adding_to,
    append,
    keep_mtime,
    rewrite_as_it_was,
)

LINK_STEPS: dict[str, Step] = {}

step = adding_to(LINK_STEPS)


@step
def write_through_one_name(at: Callable[[str], str]) -> None:
    append(at("links/b"))


@step
def chmod_one_name(at: Callable[[str], str]) -> None:
    os.chmod(at("links/far/c"), 0o700)


@step
def link_a_file_of_the_base(at: Callable[[str], str]) -> None:
    os.link(at("links/single"), at("etc/another"))


@step
def link_a_linked_file(at: Callable[[str], str]) -> None:
    os.link(at("links/q"), at("a-first"))


@step
def link_new_files(at: Callable[[str], str]) -> None:
    write(at("etc/z"))
    os.link(at("etc/z"), at("etc/y"))
    os.link(at("etc/z"), at("dir/x"))


@step
def delete_one_name(at: Callable[[str], str]) -> None:
    os.unlink(at("links/a"))


@step
def delete_all_names(at: Callable[[str], str]) -> None:
    os.unlink(at("links/p"))
    os.unlink(at("links/q"))


@step
def delete_the_directory_of_one_name(at: Callable[[str], str]) -> None:
    shutil.rmtree(at("links/far"))


@step
def replace_one_name(at: Callable[[str], str]) -> None:
    write(at("links/tmp"))
    os.rename(at("links/tmp"), at("links/b"))


@step
def break_a_link_with_the_same_content(at: Callable[[str], str]) -> None:
    rewrite_as_it_was(at("links/b"))
    rewrite_as_it_was(at("links/p"))
    keep_mtime(at("links"))


@step
def rename_one_name(at: Callable[[str], str]) -> None:
    os.rename(at("links/b"), at("links/z"))


@step
def rename_over_one_name(at: Callable[[str], str]) -> None:
    os.rename(at("etc/conf"), at("links/b"))


@step
def rename_one_name_over_another_file(at: Callable[[str], str]) -> None:
    os.rename(at("links/p"), at("links/far/c"))


@step
def link_across_layers(at: Callable[[str], str]) -> None:
    append(at("links/low"))


@step
def make_two_files_one(at: Callable[[str], str]) -> None:
    os.unlink(at("etc/conf"))
    os.link(at("etc/passwd"), at("etc/conf"))
    os.unlink(at("links/q"))
    os.link(at("links/a"), at("links/q"))


@step
def new_links_to_what_is_no_file(at: Callable[[str], str]) -> None:
    os.symlink("x", at("etc/l1"))
    os.link(at("etc/l1"), at("etc/l2"), follow_symlinks=False)
    os.mkfifo(at("etc/f1"))
    os.link(at("etc/f1"), at("etc/f2"))


@step
def write_and_delete_one_name(at: Callable[[str], str]) -> None:
    append(at("links/b"))
    os.unlink(at("links/b"))


@step
def rename_and_write_one_name(at: Callable[[str], str]) -> None:
    os.rename(at("links/b"), at("links/z"))
    append(at("links/z"))


@step
def write_through_two_names(at: Callable[[str], str]) -> None:
    append(at("links/b"))
    append(at("links/a"))
