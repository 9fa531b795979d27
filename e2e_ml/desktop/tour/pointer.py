"""A click inside an embedded page as a person makes it: found in the DOM, made with the mouse."""

from __future__ import annotations

import json
from collections.abc import Callable

from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication

from e2e_ml.desktop.web.view import WebView

_FIND = """(() => {
  const end = %s;
  const link = [...document.querySelectorAll('a[href]')].find(a => a.pathname.endsWith(end) && a.offsetParent);
  if (!link) return null;
  link.scrollIntoView({block: 'center', behavior: 'instant'});
  const box = link.getClientRects()[0];
  return box ? JSON.stringify([box.x + box.width / 2, box.y + box.height / 2]) : null;
})()"""


def click_link(view: WebView, ends_with: str, answer: Callable[[bool], object]) -> None:
    """Click the first visible link whose path ends with `ends_with`; `answer` hears whether there was one."""

    def found(place: object) -> None:
        if not (isinstance(place, str) and place):
            answer(False)
            return
        x, y = json.loads(place)
        press(view, QPointF(x, y) * view.engine.zoomFactor())
        answer(True)

    if view.showing_page:
        view.page.runJavaScript(_FIND % json.dumps(ends_with), found)
    else:
        answer(False)


def press(view: WebView, at: QPointF) -> None:
    """Press and release the left button at a point of the view, in pixels."""
    target = view.engine.focusProxy() or view.engine
    everywhere = target.mapToGlobal(at)
    for kind, buttons in (
        (QEvent.Type.MouseMove, Qt.MouseButton.NoButton),
        (QEvent.Type.MouseButtonPress, Qt.MouseButton.LeftButton),
        (QEvent.Type.MouseButtonRelease, Qt.MouseButton.NoButton),
    ):
        button = Qt.MouseButton.NoButton if kind is QEvent.Type.MouseMove else Qt.MouseButton.LeftButton
        event = QMouseEvent(kind, at, everywhere, button, buttons, Qt.KeyboardModifier.NoModifier)
        QApplication.sendEvent(target, event)
