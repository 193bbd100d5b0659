"""Steps that are found without the stages that they copy from."""

from collections.abc import Mapping, Sequence

import pytest

from img.domain.digest import Digest
from img.domain.graph.cached_steps import CachedSteps, FindCachedSteps, RecordedResult
from img.domain.graph.operations import Scratch
from img.domain.graph.provenance import SCRATCH, content_on, contradict, made_from
from img.domain.graph.vertex import Graph, Vertex
from img.domain.oci.chain import DiffID, chain_id_of

# Two steps of the last stage, B on A, take files from the stage that ends with STAGE, which took
# files from the one that ends with FIRST.
BASE, FIRST, STAGE, A, B = range(5)
INPUTS = [(), (BASE,), (BASE, FIRST), (BASE, STAGE), (A, FIRST)]
GRAPH = Graph(tuple(Vertex(operation=Scratch(), inputs=inputs) for inputs in INPUTS))
TAKERS = frozenset({STAGE, A, B})


def key(position: int) -> Digest:
    return Digest.of(b"key %d" % position)


def layer(position: int, run: int = 1) -> DiffID:
    return DiffID(Digest.of(b"layer %d of run %d" % (position, run)))


def content(position: int, run: int = 1) -> Digest:
    """Return the content of a stack that stands on the base."""
    return content_on(SCRATCH, layer(position, run))


def recorded(
    position: int, *, run: int = 1, first: int = 1, stage: int = 1, on: Digest = SCRATCH
) -> RecordedResult:
    """Return a result that was made from these runs of the steps below."""
    told = {
        FIRST: {},
        STAGE: {key(FIRST): content(FIRST, first)},
        A: {key(STAGE): content(STAGE, stage), key(FIRST): content(FIRST, first)},
        B: {key(FIRST): content(FIRST, first)},
    }[position]
    root = A if position == B else BASE
    return RecordedResult(layer=layer(position, run), made_from={key(root): on, **told})


def cached_steps(
    results: Mapping[int, RecordedResult],
    unknown: Sequence[int] = (),
    agreed: Mapping[Digest, Digest] | None = None,
) -> CachedSteps:
    def find(position: int, inputs: Mapping[Digest, Digest]) -> RecordedResult | None:
        result = results.get(position)
        return result if result and made_from(result.made_from, inputs) else None

    return FindCachedSteps(
        graph=GRAPH,
        target=B,
        keys={position: key(position) for position in range(5) if position not in unknown},
        leaves={BASE: SCRATCH},
        takers=TAKERS,
        agreed=agreed or {},
        find=find,
    )()


def on_a(**runs: int) -> RecordedResult:
    return recorded(B, on=content(A), **runs)


@pytest.mark.parametrize(
    ("results", "alone"),
    [
        ({A: recorded(A), B: on_a()}, {A, B}),
        ({FIRST: recorded(FIRST), STAGE: recorded(STAGE), A: recorded(A), B: on_a()}, {A, B}),
        ({FIRST: recorded(FIRST, run=2), A: recorded(A), B: on_a()}, {A, B}),  # it is not needed
        ({A: recorded(A)}, set()),  # the first stage is done for B, and A was made from another
        ({FIRST: recorded(FIRST), A: recorded(A)}, {A}),
        ({FIRST: recorded(FIRST, run=2), A: recorded(A)}, set()),
        ({A: recorded(A), B: on_a(first=2)}, set()),  # they do not agree
        ({FIRST: recorded(FIRST), A: recorded(A), B: on_a(first=2)}, {A}),
        ({A: recorded(A, run=2), B: on_a()}, set()),  # B stood on another A
        ({FIRST: recorded(FIRST), A: recorded(A, run=2), B: on_a()}, {A}),
        ({B: on_a()}, set()),
        ({}, set()),
    ],
)
def test_steps_are_found_alone_that_were_made_from_the_same(
    results: Mapping[int, RecordedResult], alone: set[int]
) -> None:
    assert cached_steps(results).alone == alone


def test_what_is_found_is_what_will_be_needed() -> None:
    results = {FIRST: recorded(FIRST), STAGE: recorded(STAGE), A: recorded(A), B: on_a()}

    assert cached_steps(results).results == {A: results[A], B: results[B]}


def test_a_step_without_a_key_is_done_and_so_is_what_it_takes() -> None:
    results = {FIRST: recorded(FIRST), STAGE: recorded(STAGE), A: recorded(A)}

    assert cached_steps(results, unknown=[B]) == CachedSteps(
        results={FIRST: results[FIRST], A: results[A]}, alone=frozenset({A})
    )


@pytest.mark.parametrize(("run", "alone"), [(1, {A, B}), (2, set())])
def test_steps_are_made_from_what_other_images_were_made_from(run: int, alone: set[int]) -> None:
    results = {A: recorded(A), B: on_a()}

    assert cached_steps(results, agreed={key(FIRST): content(FIRST, run)}).alone == alone


def test_a_content_is_the_name_of_the_layers() -> None:
    one, two = layer(1), layer(2)

    assert content_on(content_on(SCRATCH, one), two) == chain_id_of([one, two])
    assert content_on(SCRATCH, None) == SCRATCH


def test_only_what_is_recorded_of_all_inputs_fits() -> None:
    recorded = {key(1): content(1), key(2): content(2)}

    assert made_from(recorded, {key(1): content(1)})
    assert not made_from(recorded, {key(1): content(1, run=2)})
    assert not made_from(recorded, {key(3): content(3)})
    assert not made_from({}, {key(1): content(1)})


def test_what_is_open_may_come_out_in_another_way() -> None:
    told = {key(1): content(1)}

    assert not contradict(told, {})
    assert not contradict(told, {key(1): content(1), key(2): None})
    assert contradict(told, {key(1): content(1, run=2)})
    assert contradict(told, {key(1): None})
