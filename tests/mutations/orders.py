"""Changes of files by a number: equal for each caller."""

import random
from collections.abc import Iterator
from collections.abc import Set as AbstractSet

SPECIAL = frozenset({"fifo", "device"})
STEPS = 4  # the first makes the files
_NAMES = ("a", "b", "c", "d", "e", "odd%20%0aname", "%ff%fe", ".w", "-x", "a.orig")
_DIRECTORIES = ("p", "q", "p/s", "q/t", "r")
_WEIGHTS = {
    "append": 8,
    "write": 4,
    "replace": 4,
    "mkdir": 3,
    "unlink": 6,
    "remove": 2,
    "link": 10,
    "relink": 3,
    "symlink": 3,
    "rename": 8,
    "move": 2,
    "chmod": 4,
    "chown": 2,
    "chownall": 1,
    "touch": 4,
    "copy": 2,
    "clone": 4,
    "backup": 2,
    "set": 2,
    "unset": 1,
    "tar": 1,
}
_FIRST = {"append": 12, "mkdir": 6, "link": 12, "symlink": 3, "touch": 12, "set": 2}


class Orders:
    """The orders of one number, all below the directory of that number."""

    def __init__(self, number: int, special: AbstractSet[str]) -> None:
        self._top = f"./{number:04}"
        self._random = random.Random(number)
        more = dict.fromkeys(sorted(special), 3)
        self._first = _FIRST | more
        self._weights = _WEIGHTS | more

    def of_step(self, step: int) -> Iterator[str]:
        """Yield the lines of a step; steps are to be asked for in their order."""
        if not step:
            yield f"mkdir {self._top}"
            yield from (f"mkdir {self._top}/{name}" for name in _DIRECTORIES[:3])
        weights = self._weights if step else self._first
        for _ in range(12 if not step else self._random.randint(1, 7)):
            verb = self._random.choices(list(weights), list(weights.values()))[0]
            yield f"{verb} {' '.join(self._words(verb))}"

    def _words(self, verb: str) -> list[str]:
        pick = self._random
        match verb:
            case "append" | "write" | "replace":
                return [self._file(), f"{pick.randrange(1000)};"]
            case "mkdir" | "remove":
                return [self._directory()]
            case "link" | "relink" | "rename" | "copy":
                return [self._file(), self._file()]
            case "move" | "tar":
                return [self._directory(), self._directory()]
            case "clone":
                return [self._any(), self._any()]
            case "symlink":
                return [self._file(), pick.choice(["a", "p", "../b", "nowhere"])]
            case "chmod":
                return [self._any(), pick.choice(["600", "644", "755", "1755", "2750", "4711"])]
            case "chown" | "chownall":
                return [self._any(), str(pick.choice([0, 1, 33])), str(pick.choice([0, 5]))]
            case "touch":
                return [self._any(), str(pick.randrange(1_000_000_000, 1_600_000_000))]
            case "set":
                return [self._any(), f"user.{pick.choice('xy')}", str(pick.randrange(10))]
            case "unset":
                return [self._any(), f"user.{pick.choice('xy')}"]
            case "device":
                return [self._file(), str(pick.choice([3, 5]))]
            case _:
                return [self._file()]

    def _any(self) -> str:
        return self._file() if self._random.random() < 0.7 else self._directory()

    def _file(self) -> str:
        name = self._random.choice(_NAMES[: self._random.choice([4, 4, 4, len(_NAMES)])])
        where = self._random.choice(("", "", *_DIRECTORIES[:3], *_DIRECTORIES))
        return f"{self._top}/{where}/{name}" if where else f"{self._top}/{name}"

    def _directory(self) -> str:
        return f"{self._top}/{self._random.choice(_DIRECTORIES)}"


def orders(numbers: range, special: AbstractSet[str] = SPECIAL) -> list[str]:
    """Return the text of each step, for all ``numbers`` side by side.

    ``special`` are the kinds of special files that may be made.
    """
    each = [Orders(number, special) for number in numbers]
    return ["".join(f"{line}\n" for one in each for line in one.of_step(n)) for n in range(STEPS)]
