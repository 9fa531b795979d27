"""Where the web views stand: the one in focus takes most of the room, the others stay live beside it.

`arrange` is the whole problem of width as a pure function; the widget only applies it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from PySide6.QtCore import QRect, Qt, Signal
from PySide6.QtGui import QMouseEvent, QResizeEvent
from PySide6.QtWidgets import QWidget

from e2e_ml.desktop.web.view import WebView

GAP = 1  # px: a hairline
HANDLE = 7  # px around it that can be dragged
SHARE = 0.65  # of the width for the leading pane, at first: its page can be read, the others can be recognised
SHARE_LEAST, SHARE_MOST = 0.3, 0.9
SIDE_LEAST, SIDE_MOST = 320, 1200  # px, the column or each narrow pane beside the leading one
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


def handle_at(boxes: Sequence[Box | None], leading: int) -> tuple[int, float] | None:
    """Where the leading pane borders on another, in px from the left, and how far that goes with its share.

    The rate is 1 where the pane begins at the left, less where it lies between others, -1 where it ends at the right.
    None where there is nothing to share.
    """
    own = boxes[leading]
    others = [box.x for i, box in enumerate(boxes) if box is not None and i != leading]
    if own is None or not others:
        return None
    before = sum(x < own.x for x in others)
    if before == len(others):
        return own.x - GAP, -1.0
    return own.x + own.width, 1 - before / len(others)


def dragged(share: float, by: int, room: int, rate: float) -> float:
    """The leading pane's part of `room` px after its edge, which goes at `rate`, was dragged `by` px to the right."""
    return min(SHARE_MOST, max(SHARE_LEAST, share + by / (max(room, 1) * rate)))


class _Handle(QWidget):
    """The edge between the leading pane and the others: dragged it shares the room anew, pressed twice as at first."""

    moved = Signal(int)  # px since the press
    pressed = Signal()
    reset = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("paneHandle")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setCursor(Qt.CursorShape.SplitHCursor)
        self.setToolTip("Drag to share the room; press twice for as it was at first")
        self._from: int | None = None

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() is Qt.MouseButton.LeftButton:
            self._from = round(event.globalPosition().x())
            self.pressed.emit()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._from is not None:
            self.moved.emit(round(event.globalPosition().x()) - self._from)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._from = None

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.reset.emit()


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
        self.share = SHARE
        self._share_before = SHARE
        self._maximised = False
        self._handle_rate = 1.0
        self._handle = _Handle(self)
        self._handle.pressed.connect(self._begin_drag)
        self._handle.moved.connect(self._drag)
        self._handle.reset.connect(lambda: self.set_share(SHARE))
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

    def set_share(self, share: float) -> None:
        """Give the leading pane this part of the width."""
        if share != self.share:
            self.share = share
            self._apply()
            self.layout_changed.emit()

    def _begin_drag(self) -> None:
        self._share_before = self.share

    def _drag(self, by: int) -> None:
        self.set_share(dragged(self._share_before, by, self.width(), self._handle_rate))

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
        edge = handle_at(boxes, self._leading)
        self._handle.setVisible(edge is not None)
        if edge is not None:
            x, self._handle_rate = edge
            self._handle.setGeometry(x - HANDLE // 2, 0, HANDLE, self.height())
            self._handle.raise_()

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._apply()
