"""What waits for its first use."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from img.entrypoints.lazy import at_first_use, is_made, when_called


def test_a_stand_in_makes_nothing_until_it_is_asked() -> None:
    made: list[str] = []

    def make(text: str, *, more: str) -> str:
        made.append(text)
        return text + more

    stand_in = at_first_use(make)("a", more="b")

    assert not made
    assert not is_made(stand_in)
    assert stand_in.upper() == "AB"
    assert is_made(stand_in)
    assert stand_in.lower() == "ab"
    assert made == ["a"]


def test_several_threads_that_ask_at_once_make_one() -> None:
    made: list[str] = []

    def make() -> Callable[[], str]:
        made.append("one")
        return "answer".upper

    stand_in = at_first_use(make)()

    with ThreadPoolExecutor(8) as pool:
        answers = [future.result() for future in [pool.submit(stand_in) for _ in range(50)]]

    assert answers == ["ANSWER"] * 50
    assert len(made) == 1


def test_what_is_made_when_it_is_called_is_made_for_each_call() -> None:
    made: list[str] = []

    def make() -> Callable[..., str]:
        made.append("one")
        return "{0}{more}".format

    call = when_called(make)

    assert not made
    assert (call("a", more="b"), call("c", more="d")) == ("ab", "cd")
    assert made == ["one", "one"]
