"""A real browser for tests: headless Chromium, driven over WebDriver."""

from __future__ import annotations

import base64
import contextlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import requests

DRIVER = shutil.which("chromedriver")
AXE = Path(__file__).resolve().parents[1] / ".venv/lib/node_modules/axe-core/axe.min.js"

KEYS = {"tab": "\ue004", "enter": "\ue007", "escape": "\ue00c", "end": "\ue010"}

_OPTIONS = {
    "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1200,900", "--disable-dev-shm-usage"]
}


class Browser:
    """One window. Pages are opened by address; what scripts return comes back as plain data."""

    def __init__(self, port: int) -> None:
        self._http = requests.Session()
        self._http.trust_env = False
        self._address = f"http://127.0.0.1:{port}/session"
        wanted = {"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": _OPTIONS, "timeouts": {"script": 300_000}
        }}}  # fmt: skip
        self._address += f"/{self._ask('POST', '', wanted)['sessionId']}"

    def _ask(self, method, path, data=None):
        answer = self._http.request(method, self._address + path, json=data, timeout=330)
        said = answer.json()["value"]
        assert answer.ok, said
        return said

    def open(self, address):
        self._ask("POST", "/url", {"url": str(address)})

    def run(self, script, *arguments):
        """What the body of a function gives in the page."""
        return self._ask("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def wait(self, condition):
        """Until an expression is true in the page; its value."""
        script = (
            "const done = arguments[0]; const look = () => { "
            f"const value = ({condition}); if (value) done(value); else requestAnimationFrame(look); }}; look();"
        )
        return self._ask("POST", "/execute/async", {"script": script, "args": []})

    def keys(self, *keys):
        """Strokes as somebody at the keyboard makes them: letters, and names of `KEYS`."""
        strokes = [KEYS.get(key, key) for key in keys]
        actions = [{"type": kind, "value": stroke} for stroke in strokes for kind in ("keyDown", "keyUp")]
        self._ask("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    def complaints(self, where="html"):
        """What axe finds wrong *where* for people who do not see, or do not use a mouse: rule and places."""
        self.run(AXE.read_text(encoding="utf-8"))
        script = "const done = arguments[1]; axe.run(arguments[0]).then((said) => done(said.violations.map("
        script += "(one) => [one.id, one.nodes.map((node) => node.html)])));"
        return self._ask("POST", "/execute/async", {"script": script, "args": [where]})

    def dark(self):
        """From now on the page is wanted dark."""
        self.look("dark")

    def look(self, which):
        """From now on the page is wanted ``light`` or ``dark``."""
        feature = {"features": [{"name": "prefers-color-scheme", "value": which}]}
        self._ask("POST", "/goog/cdp/execute", {"cmd": "Emulation.setEmulatedMedia", "params": feature})

    def picture(self, width, height):
        """What the window shows in that size, as PNG."""
        self._ask("POST", "/window/rect", {"width": width, "height": height})
        return base64.b64decode(self._ask("GET", "/screenshot"))

    def close(self):
        self._ask("DELETE", "")


@contextlib.contextmanager
def browsing():
    """A browser, closed in the end."""
    if DRIVER is None or not AXE.is_file():
        pytest.skip("chromium-driver or axe-core is missing; ./dev test installs them")
    with subprocess.Popen([DRIVER, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as driver:
        try:
            said = next(
                found for line in driver.stdout if (found := re.search(r"started successfully on port (\d+)", line))
            )
            browser = Browser(int(said[1]))
            try:
                yield browser
            finally:
                browser.close()
        finally:
            driver.terminate()
