"""Chromium without a window, by its debugging protocol over two pipes."""

import base64
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from tests.support.host.machine import program

_OPTIONS = (
    *("--headless", "--remote-debugging-pipe", "--disable-gpu", "--hide-scrollbars"),
    *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
    *("--no-sandbox", "--disable-dev-shm-usage"),  # root cannot have the sandbox
)

_COLOURS = """(async (png) => {
    const bytes = Uint8Array.from(atob(png), (each) => each.charCodeAt(0));
    const picture = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
    const pen = new OffscreenCanvas(picture.width, picture.height).getContext("2d");
    pen.drawImage(picture, 0, 0);
    const { data } = pen.getImageData(0, 0, picture.width, picture.height);
    const counts = new Map();
    for (let at = 0; at < data.length; at += 4 * 7) { // each seventh pixel
        const colour = (data[at] << 16) | (data[at + 1] << 8) | data[at + 2];
        counts.set(colour, (counts.get(colour) || 0) + 1);
    }
    return [...counts];
})(%s)"""


@dataclass
class Browser:
    """A page of a browser. ``problems`` has errors and warnings of the page and its requests."""

    commands: BinaryIO
    answers: BinaryIO
    session: str = ""
    problems: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    _last: int = 0

    def call(self, method: str, **params: object) -> dict[str, Any]:
        """Send a command and return its result."""
        self._last += 1
        message = {"id": self._last, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        self.commands.write(json.dumps(message).encode() + b"\0")
        self.commands.flush()
        while True:
            answer = self._next()
            if answer.get("id") == self._last:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result

    def open(self, page: Path) -> None:
        """Load a page, and wait until its scripts have run."""
        self.call("Page.navigate", url=page.as_uri())
        while self._next().get("method") != "Page.loadEventFired":
            pass

    def value(self, expression: str) -> Any:
        """Return the value of a JavaScript expression."""
        found = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def processor_seconds(self) -> float:
        """Return the processor time that the process of the page has used."""
        metrics = self.call("Performance.getMetrics")["metrics"]
        return float(next(each["value"] for each in metrics if each["name"] == "ProcessTime"))

    def look(self, *, width: int, height: int = 900, scheme: str = "light") -> None:
        """Set the size of the window, and the colour scheme that its user prefers."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 700,
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", features=features)

    def screenshot(self) -> bytes:
        """Return the whole page as a PNG file."""
        found = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        return base64.b64decode(found["data"])

    def small_picture(self) -> bytes:
        """Return the part of the page in the window as a WebP file."""
        found = self.call("Page.captureScreenshot", format="webp", quality=70)
        return base64.b64decode(found["data"])

    def colours(self) -> dict[tuple[int, int, int], int]:
        """Return the colours of a screenshot of the page: how many of its pixels have each."""
        png = base64.b64encode(self.screenshot()).decode()
        found = self.value(_COLOURS % json.dumps(png))
        return {(n >> 16 & 255, n >> 8 & 255, n & 255): count for n, count in found}

    def _next(self) -> dict[str, Any]:
        data = bytearray()
        while (byte := self.answers.read(1)) not in (b"\0", b""):
            data += byte
        assert data, "the browser has ended"
        message: dict[str, Any] = json.loads(data)
        params = message.get("params", {})
        match message.get("method"):
            case "Runtime.exceptionThrown":
                self.problems.append(str(params["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if params["type"] in ("error", "warning", "assert"):
                self.problems.append(str(params["args"]))
            case "Log.entryAdded":
                self.problems.append(str(params["entry"]))
            case "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])
        return message


@contextmanager
def browsing(home: Path) -> Iterator[Browser]:
    """Start the browser with a profile in ``home``, and end it."""
    name = program("chromium-headless-shell")
    to_browser, own_end = os.pipe()
    own_start, from_browser = os.pipe()
    words = ["bash", "-c", 'exec "$@" 3<&"$IN" 4>&"$OUT"', "sh", name, *_OPTIONS]
    with subprocess.Popen(
        [*words, f"--user-data-dir={home}"],
        pass_fds=(to_browser, from_browser),
        env={**os.environ, "HOME": str(home), "IN": str(to_browser), "OUT": str(from_browser)},
        stderr=subprocess.DEVNULL,
    ):
        os.close(to_browser)
        os.close(from_browser)
        with open(own_end, "wb") as commands, open(own_start, "rb") as answers:
            browser = Browser(commands, answers)
            target = browser.call("Target.createTarget", url="about:blank")["targetId"]
            attached = browser.call("Target.attachToTarget", targetId=target, flatten=True)
            browser.session = attached["sessionId"]
            for domain in ("Page", "Runtime", "Log", "Network", "Performance"):
                browser.call(f"{domain}.enable")
            yield browser
            browser.session = ""
            browser.call("Browser.close")
