"""Code in the documentation runs as it stands there, and links lead somewhere."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted((ROOT / "docs").rglob("*.md"))
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXAMPLES = [
    pytest.param(code, id=f"{page.stem}-{number}")
    for page in PAGES
    for number, code in enumerate(BLOCK.findall(page.read_text(encoding="utf-8")), 1)
]


def test_there_are_examples() -> None:
    assert EXAMPLES


@pytest.mark.parametrize("code", EXAMPLES)
def test_example_serves_and_stops(code: str, tmp_path: Path) -> None:
    free = re.sub(r"127\.0\.0\.1:80\d\d", "127.0.0.1:0", code)
    (tmp_path / "example.py").write_text(free, encoding="utf-8")
    expected = code.count("bind=")
    process = subprocess.Popen(
        [sys.executable, "-u", "example.py"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        seen, urls = "", []
        for line in process.stdout:
            seen += line
            urls += re.findall(r"listening on (http://\S+)", line)
            if len(urls) == expected:
                break
        assert len(urls) == expected, seen
        for url in urls:
            answer = httpx.get(url)
            assert answer.status_code == 200
            assert answer.text.encode() in code.encode().decode("unicode_escape").encode()
        process.send_signal(signal.SIGINT)
        process.wait(10)
    finally:
        process.kill()
        process.wait(10)
        if process.stdout is not None:
            process.stdout.close()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target
