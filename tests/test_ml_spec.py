from dataclasses import replace

import pytest

from classifier.ml.spec import InvalidSpec, ModelSpec
from tests.factories import SPEC


def test_a_spec_comes_back_from_its_json_as_it_was():
    spec = ModelSpec.from_json(SPEC)
    assert spec.labels == ("cat", "dog", "ship")
    assert spec.to_json() == SPEC
    assert ModelSpec.from_json(spec.to_json()) == spec


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("labels", []),
        ("labels", ["cat", ""]),
        ("labels", "cat"),
        ("resize", 0),
        ("resize", "32"),
        ("crop", 33),
        ("crop", True),
        ("interpolation", "cubic"),
        ("mean", [0.5, 0.5]),
        ("std", [0.5, 0, 0.5]),
        ("framing", "letters"),
    ],
)
def test_a_wrong_field_is_named(field, value):
    with pytest.raises(InvalidSpec, match=f"'{field}'"):
        ModelSpec.from_json(SPEC | {field: value})


def test_a_spec_says_how_to_frame_only_where_it_is_not_a_photo():
    assert ModelSpec.from_json(SPEC).framing == "photo"
    assert "framing" not in ModelSpec.from_json(SPEC | {"framing": "photo"}).to_json()
    handwriting = SPEC | {"framing": "ink"}
    assert ModelSpec.from_json(handwriting).to_json() == handwriting


def test_a_missing_field_is_named():
    with pytest.raises(InvalidSpec, match="'crop' must be there"):
        ModelSpec.from_json({name: value for name, value in SPEC.items() if name != "crop"})


def test_an_unknown_field_is_refused_with_those_that_exist():
    with pytest.raises(InvalidSpec, match=r"'antialias'.*interpolation"):
        ModelSpec.from_json(SPEC | {"antialias": True})


def test_a_spec_that_is_made_in_code_is_checked_too():
    with pytest.raises(InvalidSpec, match="'crop'"):
        replace(ModelSpec.from_json(SPEC), crop=64)
