"""Which web page shows a `Ref`, and which `Ref` a page shows: pure functions, a pair for each service.

`path(ref)` gives the path, query and fragment below the service's base URL. `ref(path, ...)` reads one back, from what
the real pages put into the address bar; a page that shows no single thing gives None.
"""

from __future__ import annotations

from urllib.parse import quote, unquote, urlsplit

from e2e_ml.refs import Kind, Ref

# --- festaf: the catalog pages -------------------------------------------------------------------------------------

# One row a kind: the fixed words of the path, each followed by a key of the `Ref`, in order.
_FESTAF_WORDS: dict[Kind, tuple[str, ...]] = {
    Kind.PROJECT: (),
    Kind.FEATURE_VIEW: ("views",),
    Kind.FEATURE: ("views", "features"),
    Kind.FEATURE_SERVICE: ("services",),
    Kind.ENTITY: ("entities",),
    Kind.SOURCE: ("sources",),
}


def festaf_path(ref: Ref) -> str | None:
    """The catalog page of a festaf `Ref`, e.g. `/views/hourly_weather/features/temp`; None for another service's."""
    words = _FESTAF_WORDS.get(ref.kind)
    if words is None:
        return None
    return "/" + "/".join(f"{word}/{quote(key, safe='')}" for word, key in zip(words, ref.keys, strict=True))


def festaf_ref(path: str, project: str) -> Ref | None:
    """What the catalog page at `path` shows, in `project`; None where it shows no single thing, as a search does.

    `path` may be a whole URL; query, fragment and a trailing slash say nothing here.
    """
    segments = urlsplit(path).path.strip("/").split("/") if urlsplit(path).path.strip("/") else []
    words, keys = tuple(segments[::2]), tuple(unquote(key) for key in segments[1::2])
    kind = next((kind for kind, wanted in _FESTAF_WORDS.items() if wanted == words), None)
    if kind is None or len(keys) != len(words) or not all(keys):
        return None
    return Ref(kind, project, keys)
