"""The settings of two methods that run as one: those of both, each under its method's name. No torch is needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, make_dataclass
from functools import cache
from typing import ClassVar, Literal, cast, get_type_hints

from oddlens.backbone.options import Activation
from oddlens.methods.recipe_fields import Recipe, field_meanings, query_field

Joining = Literal["fisher", "smallest"]

Named = tuple[str, type[Recipe]]
"""A method's name, and the type of its recipe."""

SHARED = ("activation",)
"""Fields of every recipe that both methods share: they run on one model."""


@dataclass(frozen=True)
class FusionRecipe(Recipe):
    """The settings of two methods that run as one.

    Attributes:
        activation: The GELU of the model; None: the one that its weights were trained with.
        joining: How two p-values become one: by their product ("fisher"), or by the smaller of them ("smallest").
    """

    METHODS: ClassVar[tuple[Named, ...]] = ()
    """Both methods."""

    activation: Activation | None = None
    joining: Literal["fisher", "smallest"] = query_field("fisher")

    @property
    def parts(self) -> tuple[Recipe, ...]:
        """The recipes of both methods, with the values of this one."""
        shared = {name: getattr(self, name) for name in SHARED}
        own: list[dict[str, object]] = [{} for _ in self.METHODS]
        for each in fields(self):
            if "part" in each.metadata:
                own[each.metadata["part"]][each.metadata["name"]] = getattr(self, each.name)
        return tuple(made(**shared, **values) for (_, made), values in zip(self.METHODS, own, strict=True))

    @property
    def alone(self) -> Mapping[str, object]:
        """See `Recipe.alone`: of both methods."""
        named = {
            (each.metadata["part"], each.metadata["name"]): each.name
            for each in fields(self)
            if "part" in each.metadata
        }
        return {
            named[number, name]: value
            for number, recipe in enumerate(self.parts)
            for name, value in recipe.alone.items()
        }

    @property
    def is_independent(self) -> bool:
        """See `Recipe.is_independent`: of both methods."""
        return all(recipe.is_independent for recipe in self.parts)

    def __post_init__(self) -> None:
        """Raises `UsageError` where the recipe of one of the methods does."""
        _ = self.parts

    def __reduce__(self) -> tuple[object, ...]:
        """The type is made where it is needed: it goes to another process as what it is made of."""
        return _restored, (self.METHODS, {each.name: getattr(self, each.name) for each in fields(self)})


@cache
def fusion_recipe(first: Named, second: Named) -> type[FusionRecipe]:
    """The type of the settings of two methods as one: "winclip_temperature" is winclip's temperature."""
    own, meant = list[tuple[str, object, object]](), list[str]()
    for number, (method, recipe) in enumerate((first, second)):
        hints, meanings, prefix = get_type_hints(recipe), field_meanings(recipe), f"{method.replace('-', '_')}_"
        for each in fields(recipe):
            if each.name not in SHARED:
                own.append((prefix + each.name, hints[each.name], _renamed(each, number)))
                meant.append(f"        {prefix}{each.name}: Of {method}: {meanings.get(each.name, '')}.")
    made = make_dataclass(
        "With".join(recipe.__name__.removesuffix("Recipe") for _, recipe in (first, second)) + "Recipe",
        own,
        bases=(FusionRecipe,),
        frozen=True,
        namespace={
            "__module__": __name__,
            "__doc__": "\n".join([(FusionRecipe.__doc__ or "").rstrip(), *meant, ""]),
            "METHODS": (first, second),
        },
    )
    return cast("type[FusionRecipe]", made)


def _renamed(each: Field[object], number: int) -> object:
    """A field as that of a method's recipe, which says whose it is and what it is called there."""
    known = {**each.metadata, "part": number, "name": each.name}
    if each.default_factory is not MISSING:
        return field(default_factory=each.default_factory, metadata=known)
    return field(default=each.default, metadata=known)


def _restored(methods: tuple[Named, Named], values: Mapping[str, object]) -> FusionRecipe:
    made: Callable[..., FusionRecipe] = fusion_recipe(*methods)
    return made(**values)
