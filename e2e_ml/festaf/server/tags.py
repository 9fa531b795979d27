"""ETags, and the statistics of every view at once."""

from __future__ import annotations

import hashlib
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from e2e_ml.festaf.model import ViewStats
from e2e_ml.festaf.server.live import Live


class ViewState(ViewStats):
    """A view's rows, how far its pipeline has come, and where they come from."""

    written_until: datetime | None  # the end of the newest data interval that was written, or looked at and empty
    source: str  # the source's place as an absolute URI


class AllStats(BaseModel):
    """What is known of every view's stored rows."""

    model_config = ConfigDict(frozen=True)

    project: str
    registry_version: int
    views: dict[str, ViewState]


def stats_text(live: Live) -> str:
    """The statistics of every view as JSON."""
    registry = live.registry
    views = {
        view.name: ViewState(
            **dict(live.stats(view)), written_until=live.written_until(view), source=live.source_of(view)
        )
        for view in registry.views
    }
    return AllStats(project=registry.project, registry_version=registry.version, views=views).model_dump_json()


def tag_of(text: str) -> str:
    """The ETag of a body."""
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def known(tag: str, if_none_match: str | None) -> bool:
    """Whether the asker's If-None-Match says that it has the body with this tag."""
    given = {part.strip().removeprefix("W/") for part in (if_none_match or "").split(",")}
    return tag in given or "*" in given
