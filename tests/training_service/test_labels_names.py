"""What names of labels promise: they say all parameters, and a wrong one is told what is near."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training_service import labels
from training_service.labels import LabelError, LabelRangeError

widths = st.integers(10, 10_000).map(lambda hundredths: format(hundredths / 100, "g"))
spans = st.integers(1, 960).flatmap(lambda n: st.sampled_from([f"{n}", f"{n}m"]))


@given(span=spans, up=widths, down=widths)
def test_every_horizon_and_width_has_a_label_of_that_name(span, up, down):
    for name in (
        f"direction_{span}",
        f"return_{span}",
        f"scaled_return_{span}",
        f"above_{up}bp_{span}",
        f"move_{up}bp_{span}",
        f"triple_barrier_{up}x{down}_{span}",
        f"triple_barrier_close_{up}x{down}_{span}",
        f"profit_first_{up}x{down}_{span}",
    ):
        assert labels.find(name).name == name


@pytest.mark.parametrize(
    ("name", "bars", "minutes", "numbers", "kind", "classes", "unit"),
    [
        ("direction_7", 7, None, {}, "classes", (0, 1), "0 or 1"),
        ("return_45m", None, 45, {}, "number", (), "share of the earlier close"),
        ("above_2.5bp_15", 15, None, {"bp": 2.5}, "classes", (0, 1), "0 or 1"),
        ("move_20bp_5m", None, 5, {"bp": 20}, "classes", (-1, 0, 1), "-1, 0 or 1"),
        (
            "triple_barrier_2x1.5_30",
            30,
            None,
            {"up": 2, "down": 1.5},
            "classes",
            (-1, 0, 1),
            "-1, 0 or 1",
        ),
        ("return_next_session", None, None, {}, "number", (), "share of the earlier close"),
    ],
)
def test_a_name_says_everything(name, bars, minutes, numbers, kind, classes, unit):
    label = labels.find(name)

    assert (label.bars, label.minutes, label.numbers) == (bars, minutes, numbers)
    assert (label.kind, label.classes, label.unit) == (kind, classes, unit)
    assert label.crosses_sessions is (name == "return_next_session")


def test_about_says_what_a_value_means_and_how_far_it_looks():
    assert labels.find("direction_1").about == (
        "1 if the later close is higher, 0 if it is not. Within the next 1 bar of the session."
    )
    assert (
        "From this session's close to the next session's"
        in labels.find("direction_next_session").about
    )


def test_labels_with_other_names_have_other_hashes():
    hashes = {label.hash for label in labels.labels().values()}

    assert len(hashes) == len(labels.labels())
    assert labels.find("direction_15").hash == labels.find("direction_15").hash


def test_two_ways_to_write_a_number_are_one_label():
    assert labels.find("triple_barrier_2.0x1.50_030") == labels.find("triple_barrier_2x1.5_30")


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ("direction15", "direction_15"),
        ("direktion_7m", "direction_7m"),
        ("retrun_45m", "return_45m"),
        ("above_10_15", "above_10bp_15"),
        ("triple_barier_2x3_10", "triple_barrier_2x3_10"),
        ("scaled_return_next_session", "return_next_session"),
        ("direction_9999999", "direction_15"),
    ],
)
def test_an_unknown_label_names_the_nearest(wrong, near):
    with pytest.raises(LabelError, match=rf"Did you mean {near}\?"):
        labels.find(wrong)


def test_a_name_like_none_lists_the_kinds():
    with pytest.raises(LabelError, match=r"'xyz'\. The labels are direction_15, return_15, above_"):
        labels.find("xyz")


@pytest.mark.parametrize(
    "wrong", ["", "direction_", "direction_-1", "direction_\uff11\uff15", "label\n"]
)
def test_what_is_no_name_at_all_is_refused(wrong):
    with pytest.raises(LabelError, match="There is no label"):
        labels.find(wrong)


@pytest.mark.parametrize(
    ("wrong", "rule", "near"),
    [
        ("direction_0", "1 to 960 bars", "direction_1"),
        ("return_5000m", "1 to 960 minutes", "return_960m"),
        ("above_0bp_15", "0.1 to 10,000 basis points", "above_0.1bp_15"),
        ("move_20000bp_15", "0.1 to 10,000 basis points", "move_10000bp_15"),
        ("profit_first_101x1_15", "upper barrier lies 0.1 to 100", "profit_first_100x1_15"),
        ("profit_first_1x0.05_15", "lower barrier lies 0.1 to 100", "profit_first_1x0.1_15"),
    ],
)
def test_a_number_out_of_range_is_told_the_range_and_the_nearest(wrong, rule, near):
    with pytest.raises(LabelRangeError, match=rf"{rule}.*; the nearest is {near}\."):
        labels.find(wrong)
    assert labels.find(near).name == near
