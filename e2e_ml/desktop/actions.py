"""What a person can do, as values: one list feeds the menu, the palette, the shortcuts and the page of keys.

An action names a method of the window; it holds no code of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

from e2e_ml.desktop.stages import STAGES


@dataclass(frozen=True, slots=True)
class Action:
    id: str
    title: str
    call: str  # the window's method
    shortcut: str = ""  # as Qt writes it
    menu: str = ""  # the menu it stands in; empty: palette only
    args: tuple[str, ...] = ()
    where: str = ""  # the only part of the window where its key counts: "lineage", or the "drawing" in it


_VIEWS = (("airflow", "Airflow"), ("festaf", "the feature store"), ("mlflow", "MLflow"))

# What can be done in the large lineage: verb, title, key, where the key counts.
_LINEAGE = (
    ("search", "Search in the drawing", "Ctrl+F", "lineage"),
    ("columns", "Show or hide the columns of sources", "L", "drawing"),
    ("choose", "Look at what is chosen in the drawing", "Return", "drawing"),
    ("left", "Along a line, upstream", "Left", "drawing"),
    ("right", "Along a line, downstream", "Right", "drawing"),
    ("up", "The box above", "Up", "drawing"),
    ("down", "The box below", "Down", "drawing"),
    ("expand", "Show more behind what is chosen", "E", "drawing"),
    ("collapse", "Put away what lies behind what is chosen", "C", "drawing"),
    ("doubt", "The next link that was inferred", "I", "drawing"),
    ("confirm", "Confirm the link that is chosen", "Y", "drawing"),
    ("refuse", "Refuse the link that is chosen", "N", "drawing"),
    ("withdraw", "Take back what was said of the link", "U", "drawing"),
    ("larger", "Draw larger", "+", "drawing"),
    ("smaller", "Draw smaller", "-", "drawing"),
    ("fit", "Fit the whole drawing", "F", "drawing"),
    ("home", "Back to the focus in the drawing", "Home", "drawing"),
    ("map", "Show or hide the map of the drawing", "M", "drawing"),
    ("unfilter", "Show every kind and all evidence again", "", "lineage"),
    ("svg", "Save the drawing as SVG", "Ctrl+E", "lineage"),
    ("png", "Save the drawing as PNG", "Ctrl+Shift+E", "lineage"),
)

ACTIONS: tuple[Action, ...] = (
    Action("palette", "Find anything", "show_palette", "Ctrl+K", "Go"),
    Action("focus.back", "Back", "focus_back", "Alt+Left", "Go"),
    Action("focus.forward", "Forward", "focus_forward", "Alt+Right", "Go"),
    *(
        Action(f"stage.{name.lower()}", f"Stage: {name}", "show_stage", f"Alt+{number}", "Stage", (name,))
        for number, name in enumerate((stage.name for stage in STAGES), 1)
    ),
    *(
        Action(f"view.{service}", f"Look at {title}", "lead", f"Ctrl+{number}", "View", (service,))
        for number, (service, title) in enumerate(_VIEWS, 1)
    ),
    Action("view.next", "Next view", "next_view", "F6", "View"),
    Action("view.maximise", "Give the view all the room, or put the others back", "toggle_maximised", "F11", "View"),
    Action("view.layout", "Change the layout: automatic, beside, columns", "next_layout", "Ctrl+L", "View"),
    Action("view.reload", "Reload the view", "reload_view", "F5", "View"),
    Action("view.larger", "Larger", "zoom_in", "Ctrl++", "View"),
    Action("view.smaller", "Smaller", "zoom_out", "Ctrl+-", "View"),
    Action("view.size", "Size that suits the pane", "zoom_reset", "Ctrl+0", "View"),
    Action("view.pin", "Hold the view still, or let it follow", "toggle_pin", "Ctrl+P", "View"),
    Action("view.outside", "Open the view's page in the browser", "open_outside", "Ctrl+Shift+O", "View"),
    Action("panel.explorer", "Show or fold the explorer", "toggle_explorer", "Ctrl+B", "Panels"),
    Action("panel.inspector", "Show or fold the inspector", "toggle_inspector", "Ctrl+I", "Panels"),
    Action("panel.lineage", "Show the lineage large, or the views again", "toggle_lineage", "Ctrl+G", "Panels"),
    Action("panel.services", "Show the services", "toggle_services", "Ctrl+J", "Panels"),
    Action("panel.loose", "Show what hangs loose", "toggle_loose_ends", "Ctrl+Shift+J", "Panels"),
    Action("graph.refresh", "Read the services again now", "refresh_now", "Ctrl+R", "Panels"),
    Action("focus.copy", "Copy the reference of what is in focus", "copy_reference", "Ctrl+Shift+C", "Go"),
    *(
        Action(f"lineage.{verb}", title, "do_in_lineage", key, "Lineage", (verb,), where)
        for verb, title, key, where in _LINEAGE
    ),
    Action("theme.light", "Theme: light", "use_theme", "", "Theme", ("light",)),
    Action("theme.dark", "Theme: dark", "use_theme", "", "Theme", ("dark",)),
    Action("theme.system", "Theme: as the system", "use_theme", "", "Theme", ("system",)),
    Action("tour", "Guided tour", "take_tour", "", "Help"),
    Action("keys", "Keys", "show_keys", "F1", "Help"),
    Action("quit", "Quit", "close", "Ctrl+Q", "Help"),
)  # fmt: skip


def markdown() -> str:
    """The page of keys, for the docs: a table of every action that has one."""
    rows = [f"| {a.title} | `{a.shortcut}` |" for a in ACTIONS if a.shortcut]
    return "\n".join(["| What | Key |", "| --- | --- |", *rows]) + "\n"
