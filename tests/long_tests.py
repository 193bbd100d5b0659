"""The tests that take long, dealt out so that all workers of a run end at about the same time.

pytest-xdist's worksteal gives each worker an equal part of the list, in the list's order; a worker
that has finished takes over what stands last in another's part. So the long tests go to the heads
of the parts, the same weight to each.
"""

from collections.abc import Sequence

import pytest

# Seconds of one processor, about; all other tests take few.
_WEIGHTS = {
    "test_every_case_comes_out_as_buildkit_builds_it": 150,
    "test_unmodified_packages_are_installed": 90,
    "test_generated_dockerfiles_are_built": 90,
    "test_apt_installs_as_it_does_under_buildah": 80,
    "test_random_steps_are_those_of_a_plain_directory_for_everybody": 60,
    "test_with_source_date_epoch_the_manifest": 40,
    "test_steps_with_one_id_are_fooled_well": 40,
    "test_no_command_holds_a_layer_in_memory": 40,
    "test_the_executors_promises_hold": 35,
    "test_the_layers_are_equal_entry_for_entry": 35,
    "test_whatever_is_killed_at_whatever_moment": 30,
    "test_other_engines_show_the_same_files": 20,
    "test_what_only_a_plain_user_can_see": 15,
    "test_the_images_are_what_root_builds_on_overlays": 12,
}


def dealt(items: Sequence[pytest.Item], workers: int) -> list[pytest.Item]:
    """Return the tests in the order that suits so many workers."""
    heads: list[list[pytest.Item]] = [[] for _ in range(workers)]
    loads = [0] * workers
    for item in sorted(items, key=_weight, reverse=True):
        if not _weight(item):
            break
        worker = loads.index(min(loads))
        heads[worker].append(item)
        loads[worker] += _weight(item)
    rest = [item for item in items if not _weight(item)]
    ordered: list[pytest.Item] = []
    for worker, head in enumerate(heads):
        # One waits for Debian's base image, which the first to ask for it makes; not all of them.
        head.sort(key=lambda item: worker > 0 and _needs_debian(item))
        room = max(0, (len(items) - len(ordered)) // (workers - worker) - len(head))
        ordered += [*head, *rest[:room]]
        del rest[:room]
    return ordered


def _weight(item: pytest.Item) -> int:
    function = item.name.partition("[")[0]
    return next((s for name, s in _WEIGHTS.items() if function.startswith(name)), 0)


def _needs_debian(item: pytest.Item) -> bool:
    return "debian_layout" in getattr(item, "fixturenames", ())
