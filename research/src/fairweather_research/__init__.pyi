# The public names for type checkers: __init__.py imports what needs pandas when it is asked for.
from fairweather_research.delivery.compatibility import Answer, check_recipe
from fairweather_research.errors import (
    ObservationsError,
    PlanError,
    RecipeError,
    ReproduceError,
    ResearchError,
    TrainingError,
    UnfitDataError,
    UnsupportedError,
)
from fairweather_research.fleet import Fleet
from fairweather_research.observations.archive import write_archive
from fairweather_research.observations.loading import load_observations
from fairweather_research.recipes.plan import Plan, load_plan
from fairweather_research.recipes.recipe import Recipe, load_recipe
from fairweather_research.reproduction.reproduce import Reproduction, reproduce
from fairweather_research.training.train import Progress, train

__all__ = [
    "Answer",
    "Fleet",
    "ObservationsError",
    "Plan",
    "PlanError",
    "Progress",
    "Recipe",
    "RecipeError",
    "ReproduceError",
    "Reproduction",
    "ResearchError",
    "TrainingError",
    "UnfitDataError",
    "UnsupportedError",
    "check_recipe",
    "load_observations",
    "load_plan",
    "load_recipe",
    "reproduce",
    "train",
    "write_archive",
]
