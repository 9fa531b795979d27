"""One persistent browser profile per connection: cookies of two services on one host never meet (cookies ignore ports).

A `Connection` is a profile with its origin and its login. The application owns the profiles; they are deleted after
the pages that use them.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from PySide6.QtCore import QObject, QUrl
from PySide6.QtNetwork import QNetworkCookie
from PySide6.QtWebEngineCore import QWebEngineProfile, QWebEngineScript, QWebEngineSettings

from e2e_ml.desktop.web import scripts
from e2e_ml.desktop.web.policy import Origin, origin
from e2e_ml.stack.service import Login

_SCRIPT = "e2e-ml"


def encoded(url: QUrl) -> str:
    """The address as it goes over the wire: what is quoted stays quoted."""
    return bytes(url.toEncoded().data()).decode("ascii")


class Connection(QObject):
    """A service as the web engine sees it: profile, own origin, login."""

    def __init__(self, service: str, instance: str, folder: Path, *, dark: bool, parent: QObject) -> None:
        super().__init__(parent)
        self.service = service
        self.instance = instance
        self.own: Origin | None = None
        self.base = ""
        self._login: Login | None = None
        self.profile = QWebEngineProfile(f"{service}-{instance}", self)
        self.profile.setPersistentStoragePath(str(folder / "storage"))
        self.profile.setCachePath(str(folder / "cache"))
        # Session cookies must not outlive the run: the stack hands out a fresh login each time.
        self.profile.setPersistentCookiesPolicy(QWebEngineProfile.PersistentCookiesPolicy.AllowPersistentCookies)
        self.profile.setPersistentPermissionsPolicy(QWebEngineProfile.PersistentPermissionsPolicy.AskEveryTime)
        self.profile.setHttpCacheMaximumSize(64 * 1024 * 1024)
        settings = self.profile.settings()
        attribute = QWebEngineSettings.WebAttribute
        for on in (attribute.ScrollAnimatorEnabled, attribute.FocusOnNavigationEnabled):
            settings.setAttribute(on, False)
        for off in (
            attribute.LocalContentCanAccessFileUrls,
            attribute.LocalContentCanAccessRemoteUrls,
            attribute.PluginsEnabled,
            attribute.JavascriptCanPaste,
            attribute.HyperlinkAuditingEnabled,
            attribute.DnsPrefetchEnabled,
        ):
            settings.setAttribute(off, False)
        settings.setAttribute(attribute.FullScreenSupportEnabled, True)
        self.set_dark(dark)

    def set_dark(self, dark: bool) -> None:
        """Pages that are loaded from now on begin dark or light."""
        store = self.profile.scripts()
        for old in store.find(_SCRIPT):
            store.remove(old)
        script = QWebEngineScript()
        script.setName(_SCRIPT)
        script.setSourceCode(scripts.document_creation(self.service, dark=dark))
        script.setInjectionPoint(QWebEngineScript.InjectionPoint.DocumentCreation)
        script.setWorldId(QWebEngineScript.ScriptWorldId.MainWorld)  # shares the page's local storage either way
        script.setRunsOnSubFrames(False)
        store.insert(script)

    def enter(self, base: str, login: Login | None) -> None:
        """Use `base` as the own origin, and put the login's cookies there before anything is loaded."""
        self.base = base.rstrip("/")
        self.own = origin(self.base)
        self._login = login
        for name, value in (login.cookies if login else {}).items():
            cookie = QNetworkCookie(name.encode(), value.encode())
            cookie.setPath("/")
            cookie.setSecure(self.base.startswith("https:"))
            cookie.setSameSitePolicy(QNetworkCookie.SameSite.Lax)
            self.profile.cookieStore().setCookie(cookie, QUrl(self.base))

    @property
    def password(self) -> tuple[str, str] | None:
        return self._login.basic if self._login else None

    def url(self, path: str) -> QUrl:
        """The address of `path` (with query and fragment) at this service."""
        return QUrl(self.base + path)

    def full_path(self, path: str) -> str:
        """`path` with the base's own path before it, as the browser's history wants it."""
        parts = urlsplit(self.base)
        return parts.path + path

    def path_of(self, url: QUrl) -> str | None:
        """Path, query and fragment of an address of this service; None for another's."""
        text = encoded(url)
        if self.own is None or origin(text) != self.own or not text.startswith(self.base):
            return None
        return text[len(self.base) :] or "/"
