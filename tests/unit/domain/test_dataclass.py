"""Our data classes against those of the standard library."""

import abc
import copy
import dataclasses
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, field, replace
from typing import Any, ClassVar

import pytest

from img.domain.dataclass import compile_initializer, dataclass

Define = Callable[..., Callable[[type], Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ship:
    """A value as the domain has them."""

    name: str
    masts: int = 3
    cargo: tuple[str, ...] = ()
    notes: dict[str, str] = field(default_factory=dict, hash=False)
    log: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Base:
    """Something to inherit from."""

    first: int


@dataclass(frozen=True, slots=True)
class Derived(Base):
    """Something that inherits."""

    second: int = 2


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """A value with an order, and a check of its own."""

    major: int
    minor: int = 0

    def __post_init__(self) -> None:
        if self.major < 0:
            raise ValueError(self.major)


@dataclass(slots=True)
class Counter:
    """Something that changes."""

    count: int = 0
    seen: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Shouting:
    """A value that shows itself in its own way."""

    word: str

    def __repr__(self) -> str:
        return self.word.upper()


@dataclass(slots=True)
class Fleet:
    """Something with an attribute of the class itself."""

    sailing: ClassVar[int] = 0
    ships: int

    @classmethod
    def sail(cls) -> None:
        cls.sailing += 1


def test_few_instances_and_many_are_made_alike() -> None:
    @dataclass(frozen=True, slots=True)
    class Crew:
        captain: str
        hands: int = 50
        names: list[str] = field(default_factory=list, kw_only=True)

    made = [Crew(str(i), *([i] if i % 2 else []), names=["a"] * (i % 3)) for i in range(50)]

    assert [(one.captain, one.hands, len(one.names)) for one in made] == [
        (str(i), i if i % 2 else 50, i % 3) for i in range(50)
    ]


def test_a_class_can_be_compiled_before_its_first_instance() -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Sail:
        area: int
        cloth: str = "linen"

    compile_initializer(Sail)
    made = [Sail(area=9, cloth="wool"), Sail(area=9)]

    assert Sail.__init__.__code__.co_filename == "<string>"
    assert [(sail.area, sail.cloth) for sail in made] == [(9, "wool"), (9, "linen")]
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'area'"):
        Sail()  # type: ignore[call-arg]


@pytest.mark.parametrize("before", [0, 100])
@pytest.mark.parametrize(
    ("arguments", "named", "message"),
    [
        ((), {}, "missing 1 required keyword-only argument: 'name'"),
        ((), {"name": "Argo", "oars": 50}, "unexpected keyword argument 'oars'"),
        (("Argo",), {}, "positional"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(
    before: int, arguments: tuple[str, ...], named: dict[str, Any], message: str
) -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Boat:
        name: str
        masts: int = 3

    for _ in range(before):
        Boat(name="Argo")

    with pytest.raises(TypeError, match=f"Boat.__init__.*{message}"):
        Boat(*arguments, **named)
    assert Boat(name="Argo") == Boat(name="Argo", masts=3)


@pytest.mark.parametrize("before", [0, 100])
def test_an_argument_given_twice_is_refused(before: int) -> None:
    @dataclass(slots=True)
    class Log:
        entry: str = ""

    for _ in range(before):
        Log()

    with pytest.raises(TypeError, match="multiple values for argument 'entry'"):
        Log("a", entry="b")  # type: ignore[misc]


def test_an_attribute_of_the_class_is_no_field() -> None:
    Fleet.sail()

    assert Fleet.sailing == 1
    assert [each.name for each in dataclasses.fields(Fleet)] == ["ships"]
    assert repr(Fleet(2)) == "Fleet(ships=2)"


def test_equal_values_are_equal_and_have_one_hash() -> None:
    one, other = Ship(name="Argo", notes={"a": "b"}), Ship(name="Argo", notes={"a": "b"}, log="x")

    assert one == other
    assert hash(one) == hash(other)
    assert one != Ship(name="Argo", masts=2)
    assert one != object()


def test_a_frozen_value_cannot_be_changed() -> None:
    ship = Ship(name="Argo")

    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'name'"):
        ship.name = "Otter"  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError, match="cannot delete field 'name'"):
        del ship.name


def test_there_is_no_room_for_other_attributes() -> None:
    with pytest.raises(AttributeError):
        Counter().other = 1  # type: ignore[attr-defined]


def test_it_shows_itself_as_the_standard_ones_do() -> None:
    assert repr(Ship(name="Argo")) == "Ship(name='Argo', masts=3, cargo=(), notes={})"
    assert repr(Shouting("ahoy")) == "AHOY"


def test_defaults_are_made_for_each_instance() -> None:
    one, other = Counter(), Counter()
    one.seen.append(1)
    one.count += 1

    assert (other.count, other.seen) == (0, [])
    assert Counter(5, [6]).seen == [6]


def test_ctrl_c_in_the_first_instance_leaves_the_class_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @dataclass(frozen=True, slots=True)
    class Harbour:
        ships: list[str] = field(default_factory=list)
        depth: int = field(default=0, compare=False)

    def interrupt(_cls: type) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        # dataclasses.dataclass calls it last, and a second thread may be as far as this too.
        patched.setattr(abc, "update_abstractmethods", interrupt)
        with pytest.raises(KeyboardInterrupt):
            Harbour()

    assert Harbour().ships == []
    assert Harbour(depth=1) == Harbour(depth=2)


def test_what_changes_has_no_hash() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(Counter())


def test_an_edit_is_a_new_value_that_is_checked() -> None:
    assert replace(Ship(name="Argo"), masts=1) == Ship(name="Argo", masts=1)
    with pytest.raises(ValueError, match="-1"):
        replace(Version(1), major=-1)


def test_what_inherits_has_the_fields_of_both() -> None:
    assert Derived(1) == Derived(first=1, second=2)
    assert [each.name for each in dataclasses.fields(Derived)] == ["first", "second"]
    assert Base(1) != Derived(1)


def test_values_with_an_order_are_sorted_by_their_fields() -> None:
    assert sorted([Version(2), Version(1, 5), Version(1)]) == [
        Version(1),
        Version(1, 5),
        Version(2),
    ]
    assert Version(1) <= Version(1)
    with pytest.raises(TypeError):
        _ = Version(1) < 2  # type: ignore[operator]


def test_fields_can_be_matched_by_their_place() -> None:
    match Version(3, 4):
        case Version(major, minor):
            assert (major, minor) == (3, 4)


@pytest.mark.parametrize("value", [Ship(name="Argo", log="x"), Derived(1), Counter(1, [2])])
def test_a_value_survives_pickling_and_copying(value: object) -> None:
    for twin in (pickle.loads(pickle.dumps(value)), copy.copy(value), copy.deepcopy(value)):
        assert twin == value
        assert repr(twin) == repr(value)
