"""The report of an evaluation: all measures, one file, and names from outside that stay names."""

from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from tl_core.data import ImageRecord
from tl_core.errors import ConfigError
from tl_core.evaluation.evaluate import measure
from tl_core.evaluation.report import as_values, suffix_of, take_measures, write_report
from tl_core.inference.calibration import Calibration

HOSTILE = "</script><img src=x onerror=alert(1)>|*b*"
PLAIN = Calibration(model_sha256="")
LABELS = np.array([0, 0, 0, 1, 1, 2, 2, 2])
PROBABILITIES = np.array(
    [
        *[[0.8, 0.1, 0.1], [0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.1, 0.8, 0.1]],
        *[[0.5, 0.4, 0.1], [0.1, 0.1, 0.8], [0.2, 0.2, 0.6], [0.4, 0.1, 0.5]],
    ],
    np.float32,
)


class Elements(HTMLParser):
    """The tags of a page, the texts outside of scripts, and what it would fetch."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self.fetched, self._inside = [], [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self._inside = tag
        self.fetched += [value for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data):
        if self._inside not in ("script", "style"):
            self.texts.append(data)


@pytest.fixture
def measured(dataset):
    records = [replace(dataset.images[place], source_name=f"{HOSTILE} {place}.png") for place in range(len(LABELS))]
    assert all(isinstance(record, ImageRecord) for record in records)
    return measure(("cat", HOSTILE, "dog"), LABELS, PROBABILITIES, "test", records)


@pytest.fixture
def run(shared_run):
    return replace(shared_run.record, name=HOSTILE)


def test_all_measures_are_plain_values_that_follow_from_the_answers(measured):
    values = as_values(take_measures(measured, Calibration(model_sha256="", threshold=0.65)))
    assert values["accuracy"] == 6 / 8
    low, high = values["accuracy_range_95"]
    assert low < 6 / 8 < high
    assert values["balanced_accuracy"] == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)
    assert values["confusion"] == [[2, 1, 0], [1, 1, 0], [0, 0, 3]]
    assert values["roc_auc"]["per_class"]["dog"] == 1
    assert values["average_precision"]["mean"] == pytest.approx(
        np.mean(list(values["average_precision"]["per_class"].values()))
    )
    assert sum(group["answers"] for group in values["calibration"]["groups"]) == 8
    assert values["threshold"]["coverage"] == 4 / 8  # 0.8, 0.7, 0.8 and 0.8
    assert values["threshold"]["accuracy"] == 3 / 4


def test_images_of_one_class_have_no_curves_and_still_a_report(run, dataset, measured):
    alone = measure(measured.classes, LABELS[5:], PROBABILITIES[5:], "test", measured.records[5:])
    assert as_values(take_measures(alone, PLAIN))["roc_auc"] is None
    assert "these are of one" in write_report(run, dataset, take_measures(alone, PLAIN), ".md").decode()


def test_of_a_class_without_images_nothing_is_said(run, dataset, measured):
    """The model answers *dog* all the same, so that its precision would be 0 of 3."""
    rest = measure(measured.classes, LABELS[:5], np.roll(PROBABILITIES[:5], 1, axis=1), "test", measured.records[:5])
    measures = take_measures(rest, PLAIN)
    dog = as_values(measures)["per_class"][2]
    assert rest.confusion[:, 2].sum() > 0
    assert dog == {"class": "dog", "precision": None, "recall": None, "f1": None, "images": 0}
    lines = write_report(run, dataset, measures, ".md").decode().splitlines()
    assert "| dog | – | – | – | – | – | 0 |" in lines


def test_the_page_is_whole_and_names_stay_names(run, dataset, measured):
    text = write_report(run, dataset, take_measures(measured, PLAIN)).decode()
    page = Elements(text)
    shown = "".join(page.texts)
    assert page.fetched == []
    assert "img" not in page.tags
    assert page.tags.count("script") == 1 + page.tags.count("figure")  # Plotly's program, once
    assert page.tags.count("figure") == 5  # matrix, ROC, precision-recall, calibration, coverage
    assert f"Evaluation of “{HOSTILE}”" in shown
    assert f"{HOSTILE} 2.png" in shown
    for words in ("75.0 %", "Balanced accuracy", "Macro F1", "Calibration error", "AUC", "average precision"):
        assert words in shown


def test_markdown_has_the_same_content(run, dataset, measured):
    kept = Calibration(model_sha256="", temperature=1.5, threshold=0.65)
    lines = write_report(run, dataset, take_measures(measured, kept), ".md").decode().splitlines()
    for words in ("Balanced accuracy", "ROC curves of 3 classes", "Calibration curve", "temperature of 1.5"):
        assert any(words in line for line in lines)
    assert not any("<img" in line.replace("\\<", "") for line in lines)
    table = [line for line in lines if line.startswith("| \\</script")]
    assert table
    assert all(line.replace("\\|", "").count("|") in (4, 6, 8) for line in table)


def test_other_images_are_not_called_the_ones_it_learned_from(run, dataset, measured):
    learned = "has learned from these images"
    own, other = (
        write_report(run, data, take_measures(replace(measured, split="train"), PLAIN), ".md").decode()
        for data in (dataset, replace(dataset, name="Others", fingerprint="0" * 64))
    )
    assert learned in own
    assert learned not in other
    assert "“Others”" in other


def test_a_name_without_a_known_ending_is_refused(tmp_path):
    assert suffix_of(tmp_path / "Report.HTML") == ".html"
    with pytest.raises(ConfigError, match=r"something.html or something.md. Received: report.pdf"):
        suffix_of(tmp_path / "report.pdf")
