"""Types of values (go-cty, cty/type.go)."""

from collections.abc import Mapping
from typing import Final


class Type:
    """A type of values; equal types are equal."""

    __slots__ = ()
    friendly: str

    @property
    def constraint(self) -> str:
        """The type as a definition writes it."""
        return self.friendly


class Primitive(Type):
    """A type without parts."""

    __slots__ = ("friendly",)

    def __init__(self, name: str) -> None:
        self.friendly = name


STRING: Final = Primitive("string")
NUMBER: Final = Primitive("number")
BOOL: Final = Primitive("bool")
DYNAMIC: Final = Primitive("dynamic")


class Collection(Type):
    """A type with elements of one type."""

    __slots__ = ("element",)
    kind = ""

    def __init__(self, element: Type) -> None:
        self.element = element

    @property
    def friendly(self) -> str:  # type: ignore[override]
        return f"{self.kind} of {self.element.friendly}"

    @property
    def constraint(self) -> str:
        element = "any" if self.element is DYNAMIC else self.element.constraint
        return f"{self.kind}({element})"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.element == other.element

    def __hash__(self) -> int:
        return hash((self.kind, self.element))


class ListOf(Collection):
    """Elements in an order."""

    __slots__ = ()
    kind = "list"


class SetOf(Collection):
    """Different elements, in the order of their values."""

    __slots__ = ()
    kind = "set"


class MapOf(Collection):
    """Elements by string keys."""

    __slots__ = ()
    kind = "map"


class TupleOf(Type):
    """A fixed number of elements, each of a type of its own."""

    __slots__ = ("elements",)
    friendly = "tuple"

    def __init__(self, elements: tuple[Type, ...]) -> None:
        self.elements = elements

    @property
    def constraint(self) -> str:
        return f"tuple([{','.join(element.constraint for element in self.elements)}])"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TupleOf) and self.elements == other.elements

    def __hash__(self) -> int:
        return hash(self.elements)


class ObjectOf(Type):
    """Fixed attributes, each of a type of its own."""

    __slots__ = ("attributes",)
    friendly = "object"

    def __init__(self, attributes: Mapping[str, Type]) -> None:
        self.attributes = attributes

    @property
    def constraint(self) -> str:
        inside = ",".join(f"{name}={of.constraint}" for name, of in sorted(self.attributes.items()))
        return f"object({{{inside}}})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ObjectOf) and dict(self.attributes) == dict(other.attributes)

    def __hash__(self) -> int:
        return hash(frozenset(self.attributes.items()))
