"""The tests that take long come first, so that no worker ends long after the others.

pytest-xdist's worksteal gives each worker an equal part of the list, in the list's order: the long
tests are the first worker's, and the others take over what it has not begun when they have done
their parts. So few of them run at the same time, which is meant: each holds up to 1.5 GB in memory.
"""

from collections.abc import Sequence

import pytest

# Seconds of one processor, about; all other tests take few.
_WEIGHTS = {
    "test_every_case_comes_out_as_buildkit_builds_it": 150,
    "test_unmodified_packages_are_installed": 90,
    "test_generated_dockerfiles_are_built": 90,
    "test_tests_that_depend_on_the_user_pass_for_one_without_ids": 15,
    "test_apt_installs_as_it_does_under_buildah": 80,
    "test_random_steps_are_those_of_a_plain_directory_for_everybody": 60,
    "test_with_source_date_epoch_the_manifest": 40,
    "test_steps_with_one_id_are_fooled_well": 40,
    "test_no_command_holds_a_layer_in_memory": 40,
    "test_the_executors_promises_hold": 35,
    "test_the_layers_are_equal_entry_for_entry": 35,
    "test_whatever_is_killed_at_whatever_moment": 30,
    "test_images_are_the_same_from_threads_and_from_any_workers": 15,
    "test_an_interrupt_ends_a_step_and_the_end_of_a_worker_does_not": 20,
    "test_an_upload_ends_when_no_byte_moves_for_half_a_minute": 60,
    "test_what_was_done_is_kept_when_the_scheduler_ends": 12,
    "test_commands_work_as_shown": 15,
    "test_kanikos_own_dockerfiles_build": 15,
    "test_a_build_on_slurm_gives_the_same_image_and_leaves_no_job": 12,
    "test_layers_of_workers_are_fetched_for_a_push_elsewhere_and_for_a_cache": 12,
    "test_other_engines_show_the_same_files": 20,
    "test_what_only_a_plain_user_can_see": 15,
    "test_the_images_are_what_root_builds_on_overlays": 12,
}


def longest_first(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Return the tests in the order that suits the workers."""
    return sorted(items, key=_weight, reverse=True)


def _weight(item: pytest.Item) -> int:
    function = item.name.partition("[")[0]
    return next((s for name, s in _WEIGHTS.items() if function.startswith(name)), 0)
