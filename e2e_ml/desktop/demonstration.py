"""The demo performed on a running stack: wait for the services, then let the story run. Knows no Qt.

The window performs it in the background; `e2e-ml demo --no-window` performs it on the terminal.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from e2e_ml.demo import story
from e2e_ml.demo.story import Champion, Progress, StoryCancelledError, StoryError
from e2e_ml.stack import Stack, State

_POLL = 0.3  # seconds between two looks at the services


def perform(stack: Stack, report: Callable[[Progress], None], cancelled: Callable[[], bool]) -> Champion:
    """Run the demo, or what is left of it. Blocks; call it off the UI thread.

    Raises StoryError, with a sentence, where a service or a step fails, and StoryCancelledError.
    """
    _wait_for_services(stack, report, cancelled)
    airflow = stack.services["airflow"]

    def headers() -> Mapping[str, str]:
        login = airflow.login()
        return login.headers if login else {}

    url = airflow.url
    if url is None:
        raise StoryError("Airflow has no address although it is up. Look at its log: e2e-ml logs airflow.")
    return story.run(url, headers, stack.workspace.festaf_project, report, cancelled)


def _wait_for_services(stack: Stack, report: Callable[[Progress], None], cancelled: Callable[[], bool]) -> None:
    while True:
        if cancelled():
            raise StoryCancelledError
        statuses = [service.status() for service in stack.services.values()]
        for status in statuses:
            if status.state in (State.FAILED, State.UNREACHABLE):
                title = stack.services[status.service].title
                raise StoryError(
                    f"The demo needs {title}: {status.sentence} Then go on with the demo: what is done stays done."
                )
        waiting = [stack.services[s.service].title for s in statuses if s.state is not State.UP]
        if not waiting:
            return
        report(Progress("services", f"Waiting for {' and '.join(waiting)}.", 0.0))
        time.sleep(_POLL)
