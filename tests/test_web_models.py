"""The pages of the models: what each is, and by which of the measured ways it is computed."""

from urllib.parse import unquote

import pytest
from django.test import Client
from django.urls import reverse

from classifier.actions.variants import serve_by
from classifier.models import ModelVersion, User, Variant
from tests.factories import SPEC, ModelVersionFactory
from tests.receipts import measure, measure_some

LIST = reverse("models")


def page_of(client: Client, version: ModelVersion) -> str:
    """The page's text, with plain spaces."""
    url = reverse("model", args=[version.name, version.version])
    return client.get(url).content.decode().replace("\N{NO-BREAK SPACE}", " ")


def rows_of(page: str) -> dict[str, str]:
    """The rows of the table of ways, by the way's name."""
    rows = page.split('<tbody role="rowgroup">')[1].split("</tbody>")[0].split("</tr>")[:-1]
    return {row.split('scope="row">')[1].split("<")[0].strip(): row for row in rows}


def test_the_list_names_every_version_and_the_one_that_serves(
    signed_in: Client, serving: ModelVersion
) -> None:
    other = ModelVersionFactory(name="birds", metrics={"top1": 0.881})
    page = signed_in.get(LIST).content.decode()
    for version in (serving, other):
        assert reverse("model", args=[version.name, version.version]) in page
    assert page.count("Serves by default") == 1
    assert "88.1" in page
    assert "torch fp32" in page


def test_the_list_costs_the_same_queries_however_many_models_there_are(
    signed_in: Client, django_assert_max_num_queries
) -> None:
    for name in ("one", "two", "three", "four", "five"):
        serve_by(measure(ModelVersionFactory(name=name), "onnxruntime", "int8"))
    with django_assert_max_num_queries(6):
        assert b"onnxruntime int8" in signed_in.get(LIST).content


def test_a_list_without_models_offers_staff_the_first_step(client: Client, user, staff) -> None:
    for person, told in ((user, False), (staff, True)):
        client.force_login(person)
        page = client.get(LIST).content.decode()
        assert "No model is installed yet." in page
        assert ("manage.py models install" in page) == told


@pytest.mark.parametrize("path", [LIST, "/models/everyday@1/"])
def test_the_models_need_a_login(client: Client, db: None, path: str) -> None:
    assert unquote(client.get(path).url) == f"{reverse('login')}?next={path}"


@pytest.mark.parametrize("path", ["/models/nothing@1/", "/models/everyday@99999999999999999999/"])
def test_what_is_not_installed_is_not_there(signed_in: Client, serving, path: str) -> None:
    assert signed_in.get(path).status_code == 404


def test_the_pages_are_linked(signed_in: Client, serving: ModelVersion) -> None:
    page = signed_in.get(reverse("about")).content.decode()
    assert f'href="{LIST}"' in page
    assert reverse("model", args=[serving.name, serving.version]) in page


def test_a_stranger_is_led_to_no_page_that_needs_a_login(client: Client, serving) -> None:
    assert LIST not in client.get(reverse("about")).content.decode()


def test_a_model_says_what_it_is(signed_in: Client, db: None) -> None:
    version = ModelVersionFactory(
        licence="MIT",
        source="trained here",
        metrics={
            "dataset": "300 photos",
            "top1": 0.906,
            "top5": 0.99,
            "per_class": {"cat": 0.814, "dog": 1.0},
        },
    )
    page = page_of(signed_in, version)
    for shown in (
        *(str(version), "compact_cnn", "MIT", "trained here", "300 photos"),
        *("90.6 %", "99.0 %", "81.4 %", "100.0 %", 'rect width="0.814"'),
        *("32 × 32 pixels", "bilinear", "0.5, 0.5, 0.5", "cat, dog, ship"),
    ):
        assert shown in page


def test_many_labels_are_folded_away(signed_in: Client, db: None) -> None:
    labels = [f"thing {n}" for n in range(1000)]
    version = ModelVersionFactory(
        spec={**SPEC, "labels": labels}, metrics={"per_class": dict.fromkeys(labels, 0.5)}
    )
    page = page_of(signed_in, version)
    assert page.count("<details>") == 2
    assert page.count("1000 labels") == 2


def test_names_from_a_model_are_text_and_never_code(signed_in: Client, db: None) -> None:
    evil = "<script>alert(1)</script>"
    version = ModelVersionFactory(
        spec={**SPEC, "labels": [evil, "dog"]},
        source=evil,
        licence=evil,
        metrics={"top1": 0.5, "dataset": evil, "per_class": {evil: 0.5}},
    )
    measure(version, "onnxruntime", "int8", recipe="<b>bold", reason=evil, cpu=evil)
    measure(version, "torch", "fp32")
    page = page_of(signed_in, version)
    assert evil not in page
    assert "<b>bold" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_where_nobody_measured_only_staff_are_told_the_command(
    client: Client, user: User, staff: User
) -> None:
    version = ModelVersionFactory()
    for person, told in ((user, False), (staff, True)):
        client.force_login(person)
        page = page_of(client, version)
        assert "Nobody has measured yet" in page
        assert "torch fp32" in page
        assert (f"manage.py optimize {version}" in page) == told
        assert "<table" not in page


def test_the_table_tells_what_was_measured(signed_in: Client, db: None) -> None:
    version = ModelVersionFactory()
    measure_some(version)
    rows = rows_of(page_of(signed_in, version))
    assert list(rows)[:2] == ["torch fp32", "openvino int8 pruned-0.3"], "the fastest first"
    assert "the reference" in rows["torch fp32"]
    row = rows["onnxruntime int8"]
    shown = ("131", "8.31 ms", "59.1 MB", "3.9 MB", "95.8 %", "99.2 % where the reference is sure")
    for figure in shown:
        assert figure in row, figure
    assert "–" in rows["torch bf16"], "nothing could be measured"


def test_the_table_tells_which_one_serves_and_which_cannot(signed_in: Client, db: None) -> None:
    version = ModelVersionFactory()
    variants = measure_some(version)
    rows = rows_of(page_of(signed_in, version))
    assert "Computes the answers" in rows["torch fp32"]
    serve_by(variants["openvino int8"])
    rows = rows_of(page_of(signed_in, version))
    serving = [name for name, row in rows.items() if "Computes the answers" in row]
    assert serving == ["openvino int8"]
    assert "Could serve" in rows["torch fp32"]
    assert "Did not pass" in rows["torch bf16"]
    assert "died while it was probed" in rows["torch bf16"]


def test_a_loss_of_accuracy_is_shown_with_its_interval(signed_in: Client, db: None) -> None:
    version = ModelVersionFactory()
    loss = {"value": 0.0018, "low": -0.0006, "high": 0.0042}
    measure(version, "torch", "fp32", accuracy=0.9082)
    measure(version, "onnxruntime", "int8", accuracy=0.9064, accuracy_loss=loss)
    page = page_of(signed_in, version)
    row = rows_of(page)["onnxruntime int8"]
    assert "90.6 %" in row
    assert "loss 0.18 points (−0.06 to 0.42)" in row
    assert 'class="chart-axis">\n    \n      Accuracy' in page


def test_the_machine_and_the_date_of_the_receipts_are_shown_once(signed_in, db: None) -> None:
    version = ModelVersionFactory()
    measure_some(version)
    page = page_of(signed_in, version)
    assert page.count("A quick processor") == 1
    assert "with 120 pictures" in page
    assert "8.0 GB" in page
    assert "GPU" not in page, "there is none"


def test_receipts_of_different_machines_name_each(signed_in: Client, db: None) -> None:
    version = ModelVersionFactory()
    measure(version, "onnxruntime", "int8", cpu="An old one")
    measure(version, "openvino", "int8", cpu="A new one")
    page = page_of(signed_in, version)
    assert page.index("A new one") < page.index("An old one")


def test_the_chart_names_every_measured_way_and_marks_the_serving_one(
    signed_in: Client, db: None
) -> None:
    version = ModelVersionFactory()
    serve_by(measure_some(version)["openvino int8"])
    page = page_of(signed_in, version)
    chart = page.split("<figure")[1].split("</figure>")[0]
    assert 'role="img"' in chart
    assert "of 4 ways to compute the model; the table has the figures." in chart
    for name in ("torch fp32", "onnxruntime int8", "openvino int8", "openvino int8 pruned-0.3"):
        assert f">{name}</text>" in chart
    assert "torch bf16" not in chart
    drawing, legend = chart.split("chart-legend")
    assert drawing.count("mark-ring") == 1
    assert drawing.count("mark-failed") == 1
    for meaning in ("computes the answers now", "on the front", "behind", "did not pass"):
        assert meaning in legend


def test_one_measured_way_makes_no_chart(signed_in: Client, db: None) -> None:
    version = ModelVersionFactory()
    measure(version, "onnxruntime", "int8")
    page = page_of(signed_in, version)
    assert "<figure" not in page
    assert "onnxruntime int8" in rows_of(page)


def test_a_receipt_that_lacks_everything_is_shown_nonetheless(signed_in: Client, db: None) -> None:
    version = ModelVersionFactory()
    Variant.objects.create(model_version=version, engine="openvino", precision="fp32")
    assert "Did not pass" in rows_of(page_of(signed_in, version))["openvino fp32"]


def test_a_models_page_costs_the_same_queries_however_many_ways_it_has(
    signed_in: Client, django_assert_max_num_queries
) -> None:
    version = ModelVersionFactory()
    for n in range(20):
        measure(version, "onnxruntime", "int8", recipe=f"pruned-{n}")
    with django_assert_max_num_queries(6):
        page_of(signed_in, version)


def test_the_page_is_there_in_chinese(signed_in: Client, db: None) -> None:
    version = ModelVersionFactory()
    measure_some(version)
    url = reverse("model", args=[version.name, version.version])
    page = signed_in.get(url, headers={"accept-language": "zh-hans"}).content.decode()
    assert "每秒图片数" in page
    assert "未通过" in page
