"""Where the web views stand: the one in focus takes most of the room, the others stay live beside it.

`arrange` is the whole problem of width as a pure function; the widget only applies it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from PySide6.QtCore import QRect, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QWidget

from e2e_ml.desktop.web.view import WebView

GAP = 1  # px: a hairline
SIDE_LEAST, SIDE_MOST = 300, 640  # px, the column or each narrow pane beside the leading one
LEADING_LEAST = 420  # px: below, the others give way
COLUMNS_FROM = 2100  # px from which three columns give each pane enough
ROW_LEAST = 220  # px: a pane lower than this is of no use


class Layout(StrEnum):
    AUTO = "auto"
    BESIDE = "beside"  # the leading view, the others in rows beside it
    COLUMNS = "columns"  # all side by side


@dataclass(frozen=True, slots=True)
class Box:
    x: int
    y: int
    width: int
    height: int


def arrange(width: int, height: int, count: int, leading: int, layout: Layout, share: float) -> list[Box | None]:
    """The box of each of `count` panes; None hides one for which there is no room.

    `leading` is the index of the view in focus and `share` (0..1) the part of the width that it is given.
    """
    if count <= 1 or width < LEADING_LEAST + SIDE_LEAST // 2:
        return [Box(0, 0, width, height) if i == leading else None for i in range(count)]
    others = count - 1
    columns = layout is Layout.COLUMNS or (
        layout is Layout.AUTO and (width >= COLUMNS_FROM or height < others * ROW_LEAST)
    )
    return _columns(width, height, count, leading, share) if columns else _beside(width, height, count, leading, share)


def _beside(width: int, height: int, count: int, leading: int, share: float) -> list[Box | None]:
    side = min(SIDE_MOST, max(min(SIDE_LEAST, width - LEADING_LEAST), round(width * (1 - share))))
    main = width - side - GAP
    rows = count - 1
    boxes: list[Box | None] = []
    row = 0
    for index in range(count):
        if index == leading:
            boxes.append(Box(0, 0, main, height))
            continue
        top, bottom = (height + GAP) * row // rows, (height + GAP) * (row + 1) // rows - GAP
        boxes.append(Box(main + GAP, top, side, bottom - top))
        row += 1
    return boxes


def _columns(width: int, height: int, count: int, leading: int, share: float) -> list[Box | None]:
    others = count - 1
    room = width - GAP * others
    narrow = max(SIDE_LEAST // 2, round(room * (1 - share) / others))
    boxes: list[Box | None] = []
    x = 0
    for index in range(count):
        this = room - narrow * others if index == leading else narrow
        boxes.append(Box(x, 0, this, height))
        x += this + GAP
    return boxes


class Canvas(QWidget):
    """The panes of the web views; the background shows through the gaps as hairlines."""

    leading_changed = Signal(str)  # the service whose view leads now
    layout_changed = Signal()

    def __init__(self, views: Sequence[WebView], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("canvas")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setMinimumSize(240, 240)
        self._views = list(views)
        self._leading = 0
        self.layout_kind = Layout.AUTO
        self.share = 0.6
        self._maximised = False
        for view in self._views:
            view.setParent(self)
            view.activated.connect(lambda view=view: self.lead(view.service))
            view.maximise.connect(lambda view=view: self._on_maximise(view))
        self._apply()

    @property
    def leading(self) -> str:
        return self._views[self._leading].service

    @property
    def maximised(self) -> bool:
        return self._maximised

    def lead(self, service: str) -> None:
        """Give most of the room to this service's view."""
        index = next((i for i, view in enumerate(self._views) if view.service == service), self._leading)
        if index == self._leading:
            return
        self._leading = index
        self._apply()
        self.leading_changed.emit(self.leading)

    def go_round(self, by: int = 1) -> None:
        view = self._views[(self._leading + by) % len(self._views)]
        self.lead(view.service)
        view.engine.setFocus()

    def maximise(self, on: bool) -> None:
        """Give all the room to the leading view, or put the others back beside it."""
        if on != self._maximised:
            self._maximised = on
            self._apply()
            self.layout_changed.emit()

    def set_layout(self, kind: Layout) -> None:
        self.layout_kind = kind
        self._maximised = False
        self._apply()
        self.layout_changed.emit()

    def _on_maximise(self, view: WebView) -> None:
        already = self.leading == view.service
        self.lead(view.service)
        self.maximise(not self._maximised if already else True)

    def _apply(self) -> None:
        count = len(self._views)
        if self._maximised:
            full = Box(0, 0, self.width(), self.height())
            boxes: list[Box | None] = [full if i == self._leading else None for i in range(count)]
        else:
            boxes = arrange(self.width(), self.height(), count, self._leading, self.layout_kind, self.share)
        for index, (view, box) in enumerate(zip(self._views, boxes, strict=True)):
            view.setVisible(box is not None)
            view.chrome.show_active(index == self._leading)
            view.chrome.show_maximised(self._maximised and index == self._leading)
            if box is not None:
                view.setGeometry(QRect(box.x, box.y, box.width, box.height))

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._apply()
