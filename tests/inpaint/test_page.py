"""The page in a browser: painted with the mouse, filled, compared; and bad files."""

from __future__ import annotations

import io
import shutil
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from radpipe.errors import UserError
from radpipe.imagestore import image_writer
from radpipe.inpainting import serve
from toy_fillers import toys

ROOT = Path(__file__).parents[2]
NOISE = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--enable-unsafe-swiftshader", "--window-size=1280,1400"),
)


def test_without_gradio_it_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install -c constraints\.txt -e '\.\[page\]'"):
        serve.serve(ROOT, None, None)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A page with two examples and toy networks."""
    gradio = pytest.importorskip("gradio", reason="the extra `page` is not installed")
    project = tmp_path_factory.mktemp("project")
    shutil.copy(ROOT / "params.yaml", project)
    (project / "results/data/emoji").mkdir(parents=True)
    with image_writer(project / "results/data/emoji/test.zip") as writer:
        for number, image in enumerate(NOISE):
            writer.add(str(number), image)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.MonkeyPatch.context() as patch:
        toys(patch)
        for name in ("GRADIO_ANALYTICS_ENABLED", "GRADIO_TEMP_DIR", "HF_HUB_DISABLE_TELEMETRY"):
            patch.setenv(name, "")
        patch.setattr("tempfile.tempdir", str(tmp_path_factory.mktemp("temporary")))
        arguments = (project, "emoji", port)
        threading.Thread(target=serve.serve, args=arguments, daemon=True).start()
        found = f"http://127.0.0.1:{port}"
        until(lambda: urllib.request.urlopen(found, timeout=5).status == 200)
        yield found
        gradio.close_all()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("Chromium and its driver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    chrome = webdriver.Chrome(options, webdriver.ChromeService(driver))
    yield chrome
    chrome.quit()


def until(true: Callable[[], Any], seconds: float = 60) -> Any:
    """Wait for something of the page; elements come and go while it is drawn."""
    end, last = time.monotonic() + seconds, None
    while time.monotonic() < end:
        try:
            if found := true():
                return found
        except Exception as error:
            last = error
        time.sleep(0.1)
    raise AssertionError(f"it did not happen: {last}")


class Hands:
    """What a person does on the page."""

    def __init__(self, browser: Any, address: str) -> None:
        self.browser = browser
        browser.get(address)
        until(lambda: self.find("#editor canvas") and self.find("#examples img"))

    def find(self, css: str) -> list[Any]:
        found: list[Any] = self.browser.find_elements("css selector", css)
        return found

    def drawn(self) -> bytes:
        data: bytes = self.find("#editor canvas")[0].screenshot_as_png
        return data

    def paint(self) -> None:
        """A stroke to the right, from the middle of the picture."""
        from selenium.webdriver import ActionChains

        before, canvas = self.drawn(), self.find("#editor canvas")[0]
        pen = ActionChains(self.browser).move_to_element(canvas).click_and_hold()
        pen.move_by_offset(30, 0).move_by_offset(30, 0).release().perform()
        until(lambda: self.drawn() != before)

    def fill(self) -> np.ndarray:
        """Press the button; the answer of RAD when it is there."""
        self.find("#fill")[0].click()
        until(lambda: "3 evaluations" in self.find("#text-rad")[0].text)
        url = until(lambda: self.find("#view-rad img")[0].get_attribute("src"))
        with urllib.request.urlopen(url) as answer:
            return np.asarray(Image.open(io.BytesIO(answer.read())))


def test_paint_and_fill_an_example(browser: Any, address: str) -> None:
    hands = Hands(browser, address)
    empty = hands.drawn()
    hands.find("#examples button")[1].click()
    until(lambda: hands.drawn() != empty)
    time.sleep(1)  # the picture is drawn in several strokes
    hands.paint()
    answer = hands.fill()
    changed = (answer != NOISE[1]).any(-1)
    rows, columns = np.nonzero(changed)
    # the brush is 50 of 448 pixels wide, and the stroke goes from the middle to the right
    assert 13 <= rows.min() <= rows.max() <= 18
    assert 12 <= columns.min() <= 16
    assert 18 <= columns.max() <= 23
    assert f"hole {changed.mean():.0%}" in hands.find("#text-rad")[0].text
    asked = "return performance.getEntriesByType('resource').map(entry => entry.name)"
    assert all(
        name.startswith((address, "data:", "blob:")) for name in browser.execute_script(asked)
    )


def test_own_pictures_good_and_bad(browser: Any, address: str, tmp_path: Path) -> None:
    hands = Hands(browser, address)
    (tmp_path / "bad.png").write_bytes(b"no picture at all")
    hands.find("#drop input[type=file]")[0].send_keys(str(tmp_path / "bad.png"))
    until(lambda: "malformed" in browser.find_element("tag name", "body").text)
    hands = Hands(browser, address)
    hands.find("#fill")[0].click()
    until(lambda: "no picture is chosen" in browser.find_element("tag name", "body").text)
    picture = np.random.default_rng(1).integers(0, 256, (300, 200, 4), np.uint8)
    Image.fromarray(picture).save(tmp_path / "мой good.png")
    hands = Hands(browser, address)
    empty = hands.drawn()
    hands.find("#drop input[type=file]")[0].send_keys(str(tmp_path / "мой good.png"))
    until(lambda: hands.drawn() != empty)
    time.sleep(1)
    hands.paint()
    answer = hands.fill()
    assert answer.shape == picture.shape
    changed = (answer != picture).any(-1)
    rows, columns = np.nonzero(changed)
    assert changed.any()
    assert rows.max() - rows.min() < 60
    assert columns.min() > 60


def test_no_other_machine_can_open_it(address: str) -> None:
    host = socket.gethostbyname(socket.gethostname())
    if host.startswith("127."):
        return
    with (
        pytest.raises(OSError),
        socket.create_connection((host, int(address.rpartition(":")[2])), 2),
    ):
        pass
