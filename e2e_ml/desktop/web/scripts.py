"""Scripts put into a service's pages before their own run: theme and folded sidebars, through the pages' own settings.

Nothing is taken from a page and nothing is sent. The keys of each page's local storage are in one table.
"""

from __future__ import annotations

import json
from collections.abc import Callable

# service -> [(key in local storage, value in light, value in dark)]. Found in the installed pages:
# Airflow's next-themes reads `theme`; MLflow's own toggle writes the second, and reads both at start.
_THEME_KEYS: dict[str, list[tuple[str, str, str]]] = {
    "airflow": [("theme", "light", "dark")],
    "mlflow": [
        ("_mlflow_dark_mode_toggle_enabled", "false", "true"),
        ("databricks-dark-mode-pref", "light", "dark"),
    ],
}
# Written once for a profile; afterwards the person's own choice in the page stands.
_FIRST_KEYS: dict[str, list[tuple[str, str]]] = {
    "mlflow": [
        ("mlflow.assistant.fab.autoOpenedOnFirstLoad_v1", "true"),  # else the assistant opens by itself
        ("_mlflow_model_registry_promo_modal_dismissed_v1", "true"),  # else an advertisement covers the models
        ("mlflow.workflowType_v1", '"machine_learning"'),  # else the pages are those of language models
    ],
}
# MLflow opens its side bar whenever a page outside an experiment is shown, and keeps no setting for it.
_FOLD_SIDEBAR = """(() => {
  if (window !== window.top) return;
  const toggle = () => document.querySelector('[aria-label="Toggle sidebar"]');
  const isOpen = (button) => (button.closest("aside") || button.parentElement.parentElement).offsetWidth > 120;
  let wanted = false;
  document.addEventListener("click", (event) => {
    const button = event.isTrusted && event.target.closest && event.target.closest('[aria-label="Toggle sidebar"]');
    if (button) wanted = !isOpen(button);
  }, true);
  let waiting = false;
  new MutationObserver(() => {
    if (waiting) return;
    waiting = true;
    setTimeout(() => {
      waiting = false;
      const button = toggle();
      if (button && !wanted && isOpen(button)) button.click();
    }, 60);
  }).observe(document, {childList: true, subtree: true});
})();"""
# Airflow keeps loading bars in its pages, hidden and running: each moves by layout, sixty times a second and for ever,
# which costs a tenth of a core and, drawn in software, some megabytes a second. Hidden or not, they stand still here.
_STILL_BARS = """document.addEventListener("DOMContentLoaded", () => {
  const style = document.createElement("style");
  style.textContent = '.chakra-progress__range[data-state="indeterminate"] { animation: none !important }';
  document.head.append(style);
});"""
# The catalog asks the system for light or dark; this answers with the window's theme where they differ.
_WEAR_SCHEME = """
const wear = (dark) => {
  document.documentElement.style.colorScheme = dark ? "dark" : "light";
  for (const sheet of document.styleSheets)
    for (const rule of sheet.cssRules) {
      if (!(rule instanceof CSSMediaRule)) continue;
      rule.asked ??= (rule.media.mediaText.match(/prefers-color-scheme:\\s*(dark|light)/) || [])[1];
      if (rule.asked) rule.media.mediaText = (rule.asked === "dark") === dark ? "all" : "not all";
    }
};
"""
# Pages that notice a changed theme without a reload, told by the event that another tab would cause.
_LIVE = frozenset({"airflow", "festaf"})


def _wear_at_start(dark: bool) -> str:
    return f"""(() => {{ {_WEAR_SCHEME}
  document.addEventListener("DOMContentLoaded", () => wear({json.dumps(dark)}));
  window.addEventListener("load", () => wear({json.dumps(dark)}));
}})();"""


# What a service's pages need besides their settings.
_EXTRA: dict[str, Callable[[bool], str]] = {
    "airflow": lambda _dark: _STILL_BARS,
    "mlflow": lambda _dark: _FOLD_SIDEBAR,
    "festaf": _wear_at_start,
}


def needs_reload(service: str) -> bool:
    """Whether a page shows a changed theme only after a reload."""
    return service not in _LIVE


def document_creation(service: str, *, dark: bool) -> str:
    """JavaScript that runs before a page's own: our theme when it changed since last time, first settings once."""
    theme = "dark" if dark else "light"
    keys = {key: (on if dark else off) for key, off, on in _THEME_KEYS.get(service, [])}
    first = dict(_FIRST_KEYS.get(service, []))
    return f"""(() => {{
  if (window !== window.top) return;
  try {{
    const store = window.localStorage;
    if (store.getItem("e2e-ml.theme") !== {json.dumps(theme)}) {{
      for (const [key, value] of Object.entries({json.dumps(keys)})) store.setItem(key, value);
      store.setItem("e2e-ml.theme", {json.dumps(theme)});
    }}
    for (const [key, value] of Object.entries({json.dumps(first)}))
      if (store.getItem(key) === null) store.setItem(key, value);
  }} catch (error) {{ /* a page without storage keeps its own look */ }}
}})();
{_EXTRA.get(service, lambda _dark: "")(dark)}"""


def theme_change(service: str, *, dark: bool) -> str:
    """JavaScript that changes the theme of a page that is open."""
    keys = {key: (on if dark else off) for key, off, on in _THEME_KEYS.get(service, [])}
    return f"""(() => {{
  try {{
    for (const [key, value] of Object.entries({json.dumps(keys)})) {{
      const before = localStorage.getItem(key);
      localStorage.setItem(key, value);
      const news = {{key, oldValue: before, newValue: value, storageArea: localStorage}};
      window.dispatchEvent(new StorageEvent("storage", news));
    }}
    localStorage.setItem("e2e-ml.theme", {json.dumps("dark" if dark else "light")});
    {f"{_WEAR_SCHEME} wear({json.dumps(dark)});" if service == "festaf" else ""}
  }} catch (error) {{ /* as above */ }}
}})();"""


def soft_navigation(path: str) -> str:
    """JavaScript that leads a single-page application to `path` without loading it again."""
    return (
        f"history.pushState(null, '', {json.dumps(path)}); "
        "window.dispatchEvent(new PopStateEvent('popstate', {state: null}));"
    )
