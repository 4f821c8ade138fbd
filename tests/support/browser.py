"""A real headless Chromium, and what the tests ask of it.

A room whose tests open pages names the fixtures in its ``conftest.py``.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.common.exceptions import NoAlertPresentException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service


def _program(*names: str, package: str) -> str:
    for name in names:
        path = shutil.which(name)
        if path:
            return path
    pytest.fail(f"no {' or '.join(names)} on the path: apt-get install {package}")


def start(profile: Path) -> webdriver.Chrome:
    """A headless Chromium with its logs on."""
    options = Options()
    options.binary_location = _program("chromium", "chromium-browser", "google-chrome", package="chromium")
    for argument in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", f"user-data-dir={profile}"):
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    options.unhandled_prompt_behavior = "ignore"  # an alert stays open until a test has seen it
    return webdriver.Chrome(options=options, service=Service(_program("chromedriver", package="chromium-driver")))


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    driver = start(tmp_path_factory.mktemp("chromium"))
    yield driver
    driver.quit()


@pytest.fixture
def browser(chromium: webdriver.Chrome) -> webdriver.Chrome:
    """Chromium as a desk in the light theme, whatever the test before did to it."""
    alerted(chromium)
    chromium.get("about:blank")
    set_width(chromium, 1280)
    set_media(chromium)
    return chromium


def alerted(driver: webdriver.Chrome) -> bool:
    """Whether a script of the page has opened an alert; closes it."""
    try:
        driver.switch_to.alert.accept()
    except NoAlertPresentException:
        return False
    return True


def set_width(driver: webdriver.Chrome, width: int) -> None:
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def set_media(driver: webdriver.Chrome, scheme: str = "light", media: str = "screen") -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})


def show(driver: webdriver.Chrome, html: str, folder: Path) -> str:
    """Open a page from a file; its address."""
    page = folder / "page.html"
    page.write_text(html, encoding="utf-8")
    driver.get(page.as_uri())
    return page.as_uri()


def requested(driver: webdriver.Chrome) -> list[str]:
    """The addresses asked for since the log was last read."""
    messages: list[dict[str, Any]] = [json.loads(line["message"])["message"] for line in driver.get_log("performance")]
    return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
