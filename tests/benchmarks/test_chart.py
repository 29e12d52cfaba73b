"""Tests of the chart, read back as XML."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from sidebyside.chart import draw
from sidebyside.results import Results, Run
from tests.benchmarks import sample

SVG = "{http://www.w3.org/2000/svg}"


def drawn(results: Results, own: set[str]) -> ET.Element:
    return ET.fromstring(draw(results, own))


def widths(picture: ET.Element) -> list[float]:
    return [
        float(bar.attrib["width"])
        for bar in picture.iter(f"{SVG}rect")
        if "bar" in bar.attrib["class"].split()
    ]


def texts(picture: ET.Element, kind: str) -> list[str]:
    return [
        text.text or "" for text in picture.iter(f"{SVG}text") if kind in text.attrib.get("class", "").split()
    ]


def test_bars_are_as_long_as_their_values_with_the_cheapest_first() -> None:
    picture = drawn(sample.make(sample.load("slow", 40.0), sample.load("ropewalk", 10.0)), {"ropewalk"})
    short, long = widths(picture)
    assert long / short == pytest.approx(4, rel=0.01)
    assert texts(picture, "name") == ["ropewalk", "slow"]
    assert texts(picture, "value") == ["10.0", "40.0"]


def test_own_server_stands_out() -> None:
    picture = drawn(sample.make(sample.load("slow", 40.0), sample.load("ropewalk", 10.0)), {"ropewalk"})
    assert texts(picture, "own") == ["ropewalk", "10.0"]


def test_each_workload_under_load_has_a_panel_of_its_own_scale() -> None:
    results = sample.make(
        sample.load("a", 10.0), sample.load("a", 900.0, "download"), *sample.of_every_kind().runs[2:]
    )
    picture = drawn(results, set())
    assert texts(picture, "title") == ["“Hello, world!”", "1 MiB streamed in 64 KiB pieces"]
    first, second = widths(picture)
    assert first == second


def test_failed_server_and_failed_workload_are_left_out() -> None:
    failed = [Run(workload, "load", "granian", 1, failure="no") for workload in ("hello", "post")]
    picture = drawn(sample.make(sample.load("ropewalk", 10.0), *failed), {"ropewalk"})
    assert texts(picture, "name") == ["ropewalk"]
    assert len(texts(picture, "title")) == 1


def test_names_are_escaped() -> None:
    picture = drawn(sample.make(sample.load("<a & b>", 10.0)), set())
    assert texts(picture, "name") == ["<a & b>"]


def test_everything_lies_within_the_picture() -> None:
    names = ["ropewalk", "uvicorn", "granian", "hypercorn", "daphne"]
    picture = drawn(sample.make(*(sample.load(name, 1563.0) for name in names)), set())
    width, height = float(picture.attrib["width"]), float(picture.attrib["height"])
    for bar in picture.iter(f"{SVG}rect"):
        assert float(bar.attrib["x"]) + float(bar.attrib["width"]) <= width
        assert float(bar.attrib["y"]) + float(bar.attrib["height"]) <= height


def test_chart_of_nothing_is_still_a_picture() -> None:
    picture = drawn(sample.make(), set())
    assert widths(picture) == []
