from __future__ import annotations

from collections.abc import Iterator

import pytest
from report_browser import alerted, set_media, set_width, start
from selenium import webdriver


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
