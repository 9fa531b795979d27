"""What festaf says when it cannot do what was asked: one sentence, with the next step."""

from __future__ import annotations

import sys
import warnings


class FeatureStoreError(Exception):
    """A request that cannot be answered: an unknown name, naive times, a column that the data lacks.

    The message is for people: it says what is wrong and what to do next. Nothing has been written when it is raised.
    """


class UnwrittenViewWarning(UserWarning):
    """A view was asked that holds no rows yet. The message says how it gets some."""


def warn(sentence: str, kind: type[Warning]) -> None:
    """Warn at the line outside of festaf that asked. Python shows it once for each such line, unless told otherwise."""
    frame, level = sys._getframe(0), 1  # pyright: ignore[reportPrivateUsage]
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).startswith("e2e_ml.festaf"):
        frame, level = frame.f_back, level + 1
    warnings.warn(sentence, kind, stacklevel=level)
