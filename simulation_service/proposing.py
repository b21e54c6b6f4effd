"""Which trials a search makes: all of a grid, some at random, or what Optuna proposes from those before."""

import logging
from collections.abc import Callable, Sequence
from typing import Literal

from simulation_service.spaces import Space, Values

Method = Literal["grid", "random", "optuna"]

METHODS: tuple[Method, ...] = ("grid", "random", "optuna")

#: Takes trials and gives the Sharpe ratio of each, None where there is none.
Scores = Callable[[Sequence[Values]], Sequence[float | None]]

_TOGETHER = 10  # proposed before any of them is scored
_WORTHLESS = -1e9  # told of what has no Sharpe ratio: it did not trade, or does not go together
_PATIENCE = 20  # rounds in a row that bring nothing new: the sampler has settled


def proposed(space: Space, method: Method, trials: int, seed: int) -> list[Values]:
    """The trials of a grid or of random draws, which no result decides.

    Raises:
        SpaceError: There are too many, or none.
    """
    return list(space.grid() if method == "grid" else space.random(trials, seed))


def ask(space: Space, trials: int, seed: int, scores: Scores) -> None:
    """Let Optuna's TPE sampler propose trials, ten at a time, and tell it how they did.

    What does not go together is told to it as worthless and is no trial; neither is a proposal that
    was made before. It ends early where it has no more to propose. The same seed and the same
    scores make the same trials.

    Args:
        scores: Called with each ten.
    """
    import optuna

    optuna.logging.set_verbosity(logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    axes: dict[str, optuna.distributions.BaseDistribution] = {
        axis.name: optuna.distributions.CategoricalDistribution(axis.values)
        if any(isinstance(one, str) for one in axis.values)
        else optuna.distributions.IntDistribution(0, len(axis.values) - 1)
        for axis in space.axes
    }
    values_of = {axis.name: axis.values for axis in space.axes}
    seen: dict[tuple[float | str, ...], float] = {}
    made = idle = 0
    while made < trials and len(seen) < space.size and idle < _PATIENCE:
        drawn = [study.ask(axes) for _ in range(_TOGETHER)]
        fresh: dict[tuple[float | str, ...], Values] = {}
        keys = []
        for trial in drawn:
            values = {
                name: told if isinstance(told, str) else values_of[name][told]
                for name, told in trial.params.items()
            }
            key = tuple(values.values())
            keys.append(key)
            if key in seen or key in fresh:
                continue
            if not space.fits(values):
                seen[key] = _WORTHLESS
            elif made + len(fresh) < trials:
                fresh[key] = values
        idle = 0 if fresh else idle + 1
        if fresh:
            found = scores([*fresh.values()])
            made += len(fresh)
            for key, ratio in zip(fresh, found, strict=True):
                seen[key] = _WORTHLESS if ratio is None else ratio
        for trial, key in zip(drawn, keys, strict=True):
            study.tell(trial, seen.get(key, _WORTHLESS))
