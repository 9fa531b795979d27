"""The page of a web view: Qt's questions on one side, the answers of `policy` on the other. Nothing is decided here."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, QStandardPaths, QTimer, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtNetwork import QAuthenticator
from PySide6.QtWebEngineCore import (
    QWebEngineCertificateError,
    QWebEngineDownloadRequest,
    QWebEngineFullScreenRequest,
    QWebEngineNewWindowRequest,
    QWebEnginePage,
    QWebEnginePermission,
)

from e2e_ml.desktop.web import policy
from e2e_ml.desktop.web.policy import Verdict
from e2e_ml.desktop.web.profile import Connection


def open_outside(url: str) -> None:
    """Hand an address to the system's browser."""
    QDesktopServices.openUrl(QUrl(url))


class Page(QWebEnginePage):
    leads_outside = Signal(str)  # an address of another host, for the person to open or not
    refused = Signal(str)  # a sentence
    downloaded = Signal(str)  # the file's path
    login_refused = Signal()  # the service did not take our password

    def __init__(self, connection: Connection, parent: QObject) -> None:
        super().__init__(connection.profile, parent)
        self._connection = connection
        self._password_given = False
        self.newWindowRequested.connect(self._on_new_window)
        self.permissionRequested.connect(self._on_permission)
        self.certificateError.connect(self._on_certificate)
        self.authenticationRequired.connect(self._on_challenge)
        self.loadStarted.connect(self.forget_challenge)  # a load that was cut short has told the engine no password
        self.fullScreenRequested.connect(self._on_full_screen)
        connection.profile.downloadRequested.connect(self._on_download)

    def forget_challenge(self) -> None:
        """The next challenge is the first again: of a new load, and after a new login."""
        self._password_given = False

    def acceptNavigationRequest(self, url: QUrl | str, type: QWebEnginePage.NavigationType, isMainFrame: bool) -> bool:
        address = QUrl(url).toString()
        verdict = policy.navigation(address, self._connection.own, main_frame=isMainFrame)
        if verdict is Verdict.OUTSIDE:
            # Never act inside the question: the engine is in the middle of a navigation.
            QTimer.singleShot(0, self, lambda: self.leads_outside.emit(address))
        return verdict is Verdict.STAY

    def javaScriptConsoleMessage(
        self, level: QWebEnginePage.JavaScriptConsoleMessageLevel, message: str, lineNumber: int, sourceID: str
    ) -> None:
        """The services' pages talk to their own developers; the terminal is for ours."""

    def _on_new_window(self, request: QWebEngineNewWindowRequest) -> None:
        address = request.requestedUrl()
        text = address.toString()
        match policy.navigation(text, self._connection.own, main_frame=True):
            case Verdict.STAY:
                QTimer.singleShot(0, self, lambda: self.setUrl(address))
            case Verdict.OUTSIDE:
                QTimer.singleShot(0, self, lambda: self.leads_outside.emit(text))
            case Verdict.REFUSE:
                pass

    def _on_permission(self, permission: QWebEnginePermission) -> None:
        name = permission.permissionType().name
        if policy.permission(name, permission.origin().toString(), self._connection.own):
            permission.grant()
        else:
            permission.deny()

    def _on_certificate(self, error: QWebEngineCertificateError) -> None:
        sentence = policy.certificate(error.url().toString(), error.description())
        error.rejectCertificate()
        self.refused.emit(sentence)

    def _on_challenge(self, url: QUrl, authenticator: QAuthenticator) -> None:
        password = self._connection.password
        asked, self._password_given = self._password_given, True
        if password and policy.gives_password(url.toString(), self._connection.own, asked_before=asked):
            authenticator.setUser(password[0])
            authenticator.setPassword(password[1])
            return
        self.login_refused.emit()
        # The engine takes silence for an empty password, and would ask again for as long as the load lasts.
        QTimer.singleShot(0, self, lambda: self.triggerAction(QWebEnginePage.WebAction.Stop))

    def _on_full_screen(self, request: QWebEngineFullScreenRequest) -> None:
        request.reject()  # the window maximises a view with its own key

    def _on_download(self, download: QWebEngineDownloadRequest) -> None:
        if download.page() is not self:
            return
        folder = Path(QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DownloadLocation))
        folder.mkdir(parents=True, exist_ok=True)
        target = policy.download_target(download.suggestedFileName(), folder, Path.exists)
        download.setDownloadDirectory(str(target.parent))
        download.setDownloadFileName(target.name)

        def finished() -> None:
            if download.state() is QWebEngineDownloadRequest.DownloadState.DownloadCompleted:
                self.downloaded.emit(str(target))
            else:
                self.refused.emit(f"The download of {target.name} failed: {download.interruptReasonString()}.")

        download.isFinishedChanged.connect(finished)
        download.accept()
