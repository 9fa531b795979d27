"""Opens pages in Chromium, by light or in the dark, and says what a person would see: run as a program of its own.

    python -m tests.desktop.page_facts {light|dark} WIDTH URL...

Chromium reads the colour scheme from its own settings once, before there is an application; without a screen Qt has no
scheme to hand on. Prints a JSON list with the facts of each page, in order.
"""

from __future__ import annotations

import json
import os
import sys

FACTS = """(() => {
  const parse = (text) => {
    const numbers = text.match(/[0-9.]+/g).map(Number);
    return text.startsWith("color(") ? [...numbers.slice(0, 3).map((n) => n * 255), numbers[3] ?? 1]
                                     : [...numbers.slice(0, 3), numbers[3] ?? 1];
  };
  const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
  const ground = (element) => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) layers.push(parse(getComputedStyle(e).backgroundColor));
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255, 1]);
  };
  const light = (colour) => {
    const [r, g, b] = colour.map((c) => c / 255).map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
  const faint = [];
  for (const e of document.querySelectorAll("body *")) {
    const text = [...e.childNodes].filter((n) => n.nodeType === 3).map((n) => n.data.trim()).join("");
    if (!text || !e.checkVisibility() || e.closest("svg, .hidden")) continue;
    const below = ground(e);
    const contrast = ratio(over(parse(getComputedStyle(e).color), below), below);
    if (contrast < 4.5) faint.push(`${text.slice(0, 40)}: ${contrast.toFixed(2)}`);
  }
  return JSON.stringify({
    dark: matchMedia("(prefers-color-scheme: dark)").matches,
    ground: getComputedStyle(document.body).backgroundColor,
    width: innerWidth,
    needs: document.documentElement.scrollWidth,
    faint,
  });
})()"""


def main(scheme: str, width: int, urls: list[str]) -> None:
    os.environ["QTWEBENGINE_CHROMIUM_FLAGS"] = f"--blink-settings=preferredColorScheme={0 if scheme == 'dark' else 1}"
    from PySide6.QtCore import QTimer, QUrl
    from PySide6.QtWebEngineWidgets import QWebEngineView
    from PySide6.QtWidgets import QApplication

    application = QApplication([])
    view = QWebEngineView()
    view.resize(width, 800)
    view.show()
    found: list[object] = []

    def ask(_: bool) -> None:
        QTimer.singleShot(200, view, lambda: view.page().runJavaScript(FACTS, 0, told))

    def told(facts: str) -> None:
        found.append(json.loads(facts))
        if len(found) == len(urls):
            application.quit()
        else:
            view.load(QUrl(urls[len(found)]))

    view.loadFinished.connect(ask)
    view.load(QUrl(urls[0]))
    application.exec()
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
