"""Names that expressions can use, and the work that they may do."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from img.domain.bake.errors import BakeError
from img.domain.bake.values.types import DYNAMIC, Type
from img.domain.bake.values.value import Value

_MOST_WORK = 300_000


class Budget:
    """A bound for the work of all expressions of one definition."""

    def __init__(self, most: int = _MOST_WORK) -> None:
        self._left = most

    def spend(self, work: int) -> None:
        """Count ``work``: about the number of values or of 64 characters. Raises BakeError."""
        self._left -= work
        if self._left < 0:
            raise BakeError(
                "the definition needs too much work to evaluate",
                hint="make its lists and its nested 'for' expressions smaller",
            )


class FunctionFault(ValueError):
    """A call that fails; ``argument`` is the one that is wrong, if one is."""

    def __init__(self, message: str, argument: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.argument = argument


class Parameter(NamedTuple):
    """A parameter; values are converted to its type."""

    name: str
    type: Type = DYNAMIC
    nullable: bool = False


class Function:
    """Something that expressions can call.

    ``implementation`` gets the converted arguments; a lazy function gets the scope and the
    expressions themselves instead.
    """

    def __init__(
        self,
        parameters: tuple[Parameter, ...],
        implementation: Callable[..., Value],
        *,
        variadic: Parameter | None = None,
        lazy: bool = False,
    ) -> None:
        self.parameters = parameters
        self.implementation = implementation
        self.variadic = variadic
        self.lazy = lazy


class Scope:
    """Variables and functions by name; names of a parent are visible too."""

    __slots__ = ("budget", "functions", "parent", "variables")

    def __init__(
        self,
        variables: dict[str, Value],
        functions: Mapping[str, Function],
        budget: Budget,
        parent: "Scope | None" = None,
    ) -> None:
        self.variables = variables
        self.functions = functions
        self.budget = budget
        self.parent = parent

    def child(self, variables: dict[str, Value]) -> "Scope":
        """Return a scope with ``variables`` more."""
        return Scope(variables, self.functions, self.budget, self)

    def variable(self, name: str) -> Value | None:
        """Return a variable, None if there is none of that name."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.variables:
                return scope.variables[name]
            scope = scope.parent
        return None
