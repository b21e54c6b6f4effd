"""What a page promises: one file that fetches nothing, every text as it is, a picture for a mail."""

import math
import re
import struct

import altair as alt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reporting import (
    Column,
    Figure,
    Page,
    change,
    count,
    html,
    money,
    png,
    share,
    write_html,
    write_png,
)
from reporting.colours import INK
from reporting.drawing import NARROW, WIDE, drawn, rows_of, size
from reporting.formats import NONE, printable
from tests.reporting.reading import Read, fetched

EVIL = "<script>alert('x')</script>\"&amp; \x00\x1b"


def a_chart():
    rows = [{"x": at, "y": at * at, "name": name} for at in range(9) for name in ("a", "b")]
    return (
        alt.Chart(rows_of(rows))
        .mark_line(clip=True)
        .encode(x="x:Q", y="y:Q", color="name:N")
        .properties(height=120)
    )


def a_page(text="plain") -> Page:
    page = Page(text, text)
    page.heading(text)
    page.paragraph(text)
    page.warning(text)
    page.figures([Figure(text, text, text)])
    page.table([text, Column(text)], [[text, None]], text)
    page.table([text], [[text]], text, folded=True)
    return page


@pytest.fixture(scope="module")
def charts() -> Page:
    page = Page("Two charts")
    for name in ("one", EVIL):
        page.chart(name, a_chart(), alt=name, caption=name)
    return page


def test_a_page_fetches_nothing_and_is_well_formed(charts):
    read = Read(html(charts))

    assert fetched(read) == []
    assert read.open == []
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in read.attributes


@settings(max_examples=40, deadline=None)
@given(st.text())
def test_every_text_is_shown_as_it_is_and_none_is_markup(text):
    read = Read(html(a_page(text)))

    shown = printable(text)
    assert read.titles == [shown, shown]
    assert shown in read.headings
    assert read.warnings == [f"Warning. {shown}".strip()]
    assert shown in read.figures
    assert read.tables[0] == [[shown, shown], [shown, NONE]]
    assert read.open == []
    assert "script" not in read.tags


def test_a_hostile_name_runs_nothing_in_a_chart_either(charts):
    read = Read(html(charts))

    assert ("aria-label", printable(EVIL)) in read.attributes
    assert not {"script", "foreignobject"} & read.tags


def test_charts_are_drawn_for_a_desk_and_for_a_phone(charts):
    drawings = html(charts).split("<svg ")[1:]

    widths = [int(re.match(r'[^>]*? width="(\d+)"', one)[1]) for one in drawings]
    assert widths == [WIDE, NARROW] * 2
    assert size(drawn(a_chart(), 500, name="x")) == (500, 120)


def test_no_two_drawings_share_an_id_and_every_id_that_is_used_is_there(charts):
    text = html(charts)

    ids = re.findall(r' id="([^"]+)"', text)
    used = re.findall(r"url\(#([^)]+)\)", text)
    assert len(ids) == len(set(ids))
    assert len(used) >= 4
    assert set(used) <= set(ids)


def test_drawings_take_the_ink_of_the_page_so_that_dark_pages_can_be_read(charts):
    text = html(charts)

    assert f'"{INK}"' not in text
    assert text.count('fill="currentColor"') > 10
    assert "prefers-color-scheme:dark" in text


def test_the_same_page_gives_the_same_file(charts):
    assert html(charts) == html(charts)
    assert png(charts) == png(charts)


def test_a_row_that_does_not_fit_its_table_is_refused():
    with pytest.raises(ValueError, match="3 texts is in a table of 2"):
        Page("x").table(["a", "b"], [["1", "2", "3"]])


def test_a_page_and_its_picture_are_files(tmp_path, charts):
    page = write_html(charts, tmp_path / "page.html")
    picture = write_png(charts, tmp_path / "page.png")

    assert page.read_text(encoding="utf-8") == html(charts)
    assert dimensions(picture.read_bytes())[0] == 2 * (WIDE + 48)


def test_warnings_key_figures_and_charts_are_in_the_picture():
    page, before = Page("x"), 0
    for add in (
        lambda: None,
        lambda: page.warning("Beware. " * 40),
        lambda: page.figures([Figure(str(at), "1", "note") for at in range(5)]),
        lambda: page.chart("y", a_chart(), alt="y"),
    ):
        add()
        height = dimensions(png(page))[1]
        assert height > before
        before = height


def test_a_hostile_text_opens_as_a_picture_too():
    assert dimensions(png(a_page(EVIL)))[0] > 1000


def test_a_very_long_page_is_a_picture_that_programs_still_open():
    page = Page("long")
    page.figures([Figure(str(at), "1", "note") for at in range(600)])

    assert dimensions(png(page))[1] <= 16_001


def dimensions(picture: bytes) -> tuple[int, int]:
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    assert picture[-8:-4] == b"IEND"
    return struct.unpack(">II", picture[16:24])


# Formats


@given(st.floats(-1e6, 1e6))
def test_numbers_read_back_are_the_numbers_that_were_told(value):
    assert read_back(share(value)) / 100 == pytest.approx(value, abs=0.5001e-4)
    assert read_back(change(value)) / 100 == pytest.approx(value, abs=0.5001e-4)
    assert read_back(money(value)) == pytest.approx(value, abs=0.5001e-2)
    assert read_back(count(value)) == pytest.approx(value, abs=0.5001)


@given(st.floats(-1e-4, 1e-4))
def test_nothing_is_never_below_zero(value):
    for told in (share(value), money(value), count(value)):
        assert not told.startswith("-") or read_back(told) < 0


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_a_dash(value):
    assert {share(value), change(value), money(value), count(value)} == {NONE}


def read_back(told: str) -> float:
    return float(told.rstrip("%").replace(",", ""))
