# Copyright (c) the monai_retinasynth authors
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#     http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.
"""Which way to generate is best, and by how much, measured against the spread over seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["compare_ways", "pooled_sd"]

#: end of a run's name -> how it was trained
_KINDS = {"synth": "SYNTH", "synth_then_real": "SYNTH then REAL"}
#: end of a run's name -> the run on real images alone that it is compared with, and its name in a sentence
_CONTROLS = {"synth": ("real", "REAL"), "synth_then_real": ("real_same_steps", "REAL with the same steps")}


def compare_ways(
    runs: Mapping[str, Mapping[str, Any]],
    ways: Sequence[str],
    figure: str,
) -> dict[str, dict[str, Any]]:
    """The best way to generate for training on synthetic images alone, and on real ones after them.

    Training on synthetic images alone is compared with REAL (the run ``real``), training on real ones after them with
    REAL of the same number of steps (``real_same_steps``). Differences are given as they are and in units of the pooled
    standard deviation over the seeds of the two runs. With a handful of seeds, a difference of less than one or two of
    these units says nothing.

    Args:
        runs: name of the run -> figure -> ``mean``, ``sd`` (None for one seed) and ``n``, as `mean_and_sd` gives them;
            the runs are called ``<way>_synth`` and ``<way>_synth_then_real``.
        ways: names of the ways; one that has no run is left out.
        figure: the figure to compare, the larger the better.

    Returns:
        ``synth`` and ``synth_then_real`` -> ``figure``; ``best``: a way, None where no way has the figure; its ``mean``
        and ``sd``; ``difference`` from that run, ``pooled_sd`` of both, and ``difference_in_sd``; ``runner_up``,
        ``lead`` over it and ``lead_in_sd``; ``ways``: way -> ``mean``, ``sd``, ``difference``, ``pooled_sd``,
        ``difference_in_sd``; ``text``: the same as a sentence. What cannot be said, such as a spread of one seed, is
        None.
    """
    return {kind: _compare(runs, ways, kind, figure, _figure(runs, _CONTROLS[kind][0], figure)) for kind in _KINDS}


def pooled_sd(first: Mapping[str, Any], second: Mapping[str, Any]) -> float | None:
    """Root of the mean variance of two groups, weighted by n - 1; None where both are single values."""
    groups = [group for group in (first, second) if group["sd"] is not None]
    freedom = sum(group["n"] - 1 for group in groups)
    if not freedom:
        return None
    return math.sqrt(sum((group["n"] - 1) * group["sd"] ** 2 for group in groups) / freedom)


def _compare(
    runs: Mapping[str, Mapping[str, Any]],
    ways: Sequence[str],
    kind: str,
    figure: str,
    reference: Mapping[str, Any] | None,
) -> dict[str, Any]:
    found = {way: _figure(runs, f"{way}_{kind}", figure) for way in ways}
    scores = {way: score for way, score in found.items() if score is not None}
    ranking = sorted(scores, key=lambda way: -scores[way]["mean"])
    result: dict[str, Any] = {"figure": figure, "best": None, "text": f"{_KINDS[kind]}: no way has a result"}
    if ranking:
        best, second = ranking[0], ranking[1] if len(ranking) > 1 else None
        lead, _, lead_in_sd = _difference(scores[best], scores[second] if second else None)
        against = {way: _row(score, reference) for way, score in scores.items()}
        result |= {"best": best, **against[best], "runner_up": second, "lead": lead, "lead_in_sd": lead_in_sd}
        result["ways"] = against
        result["text"] = _sentence(kind, result)
    return result


def _figure(runs: Mapping[str, Mapping[str, Any]], run: str, figure: str) -> Mapping[str, Any] | None:
    score = runs.get(run, {}).get(figure)
    return None if score is None or score["mean"] is None else score


def _difference(
    score: Mapping[str, Any], other: Mapping[str, Any] | None
) -> tuple[float | None, float | None, float | None]:
    """Difference of the means, pooled sd, and their ratio."""
    if other is None:
        return None, None, None
    difference, spread = score["mean"] - other["mean"], pooled_sd(score, other)
    return difference, spread, difference / spread if spread else None


def _row(score: Mapping[str, Any], reference: Mapping[str, Any] | None) -> dict[str, Any]:
    difference, spread, in_sd = _difference(score, reference)
    return {
        "mean": score["mean"],
        "sd": score["sd"],
        "difference": difference,
        "pooled_sd": spread,
        "difference_in_sd": in_sd,
    }


def _sentence(kind: str, result: Mapping[str, Any]) -> str:
    spread = "" if result["sd"] is None else f" ± {result['sd']:.4f}"
    parts = [f"{_KINDS[kind]}: {result['best']}-stage is best, {result['figure']} {result['mean']:.4f}{spread}"]
    if result["difference"] is not None:
        side = "above" if result["difference"] >= 0 else "below"
        units = _units(result["difference_in_sd"])
        parts.append(f"{abs(result['difference']):.4f} {side} {_CONTROLS[kind][1]}{units}")
    if result["runner_up"] is not None:
        parts.append(f"{result['lead']:.4f} ahead of {result['runner_up']}-stage{_units(result['lead_in_sd'])}")
    return ", ".join(parts)


def _units(in_sd: float | None) -> str:
    if in_sd is None:
        return " (no spread over seeds to compare with)"
    return f" ({abs(in_sd):.1f} pooled sd{', within the spread over seeds' if abs(in_sd) < 1 else ''})"
