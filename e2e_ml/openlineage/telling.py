"""A run that is told of while it goes on: START, then COMPLETE, FAIL or ABORT, with what was noted in between.

    with telling(describe) as told:
        rows = load()
        told.note(lambda run: run.outputs.append(...))

Where nobody asks for events, nothing is made and nothing is sent. Whatever goes wrong in making or sending them is
logged and stays here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from e2e_ml.openlineage import sending
from e2e_ml.openlineage.sending import emit, facet, run_event

_LOG = logging.getLogger(__name__)
_LONGEST_MESSAGE = 2_000


@dataclass(slots=True)
class Run:
    """What is told of a run; whoever takes part in it adds to it."""

    run_id: str
    namespace: str  # of the job
    name: str
    run_facets: dict[str, Any] = field(default_factory=dict[str, Any])
    job_facets: dict[str, Any] = field(default_factory=dict[str, Any])
    inputs: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    outputs: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


class Telling:
    """A run under way. Without a `run` nothing is told."""

    def __init__(self, run: Run | None) -> None:
        self._run = run

    def note(self, add: Callable[[Run], object]) -> None:
        """Let `add` note something, where anybody is told. What it raises is logged."""
        if self._run is None:
            return
        try:
            add(self._run)
        except Exception:  # the run itself is worth more than what is told of it
            _LOG.warning("Something about this run cannot be told as an OpenLineage event.", exc_info=True)

    def tell(self, event_type: str) -> None:
        if (run := self._run) is not None:
            told = {"runId": run.run_id, "facets": run.run_facets}
            job = {"namespace": run.namespace, "name": run.name, "facets": run.job_facets}
            emit(run_event(event_type, told, job, run.inputs, run.outputs))

    def failed(self, error: BaseException, sentences: tuple[type[BaseException], ...] = ()) -> None:
        self.note(lambda run: run.run_facets.update(errorMessage=_error(error, sentences)))
        self.tell("FAIL" if isinstance(error, Exception) else "ABORT")


_current: ContextVar[Telling | None] = ContextVar("openlineage_run", default=None)


@contextmanager
def telling(
    describe: Callable[[], Run],
    *,
    uneventful: tuple[type[BaseException], ...] = (),
    sentences: tuple[type[BaseException], ...] = (),
) -> Generator[Telling]:
    """Tell of the run in the block. Within another one it is a part of that: nothing is told twice.

    `describe` is asked where anybody wants to know. Exceptions of the types `uneventful` end a run that found nothing
    to do: it is complete, without outputs. `sentences` are those whose message is told, and not their type alone.
    """
    if (outer := _current.get()) is not None:
        yield outer
        return
    told = Telling(_described(describe))
    token = _current.set(told)
    try:
        told.tell("START")
        yield told
    except uneventful:
        told.note(lambda run: run.outputs.clear())
        told.tell("COMPLETE")
        raise
    except BaseException as error:
        told.failed(error, sentences)
        raise
    else:
        told.tell("COMPLETE")
    finally:
        _current.reset(token)


def _described(describe: Callable[[], Run]) -> Run | None:
    if not sending.is_asked():
        return None
    try:
        return describe()
    except Exception:
        _LOG.warning("This run is not told of: no OpenLineage event could be made of it.", exc_info=True)
        return None


def _error(error: BaseException, sentences: tuple[type[BaseException], ...]) -> dict[str, Any]:
    # What other libraries say may hold an address with a password in it: of theirs the type alone is told.
    message = str(error)[:_LONGEST_MESSAGE] if isinstance(error, sentences) else ""
    return facet("ErrorMessageRunFacet", "1-0-1", message=message or type(error).__name__, programmingLanguage="PYTHON")
