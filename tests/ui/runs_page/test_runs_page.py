"""The Runs page, driven without a browser."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace

import pytest

from tests.ui.pages_without_browser import checked, open_page, press, texts
from tests.ui.trained_runs import ended_run
from tl_core.config import HeadConfig, TrainingConfig
from tl_core.config.format_settings import format_frozen, format_rates, format_settings
from tl_core.errors import ModelUnavailableError
from tl_core.features.cache import ArraySpec, open_cache
from tl_core.runs import annotate_run, create_run, find_run, list_runs, update_run
from tl_core.runs.tracking.sent import Sent, write_sent
from ui.components.markdown import plain
from ui.components.run_format import format_status
from ui.runs_page.details import log_end
from ui.runs_page.export import pack_model
from ui.runs_page.table import matching
from ui.state.config_text import from_text

PAGE = "pages/3_Runs.py"
DEEPER = TrainingConfig(frozen_layers=120, fine_tune_epochs=5, fine_tune_learning_rate=2e-5)


@pytest.fixture
def run(workspace, dataset):
    return ended_run(workspace, dataset, "First try")


def open_run(run):
    return open_page(PAGE, run=run.id)


def table(at):
    return at.dataframe[0].value


def test_without_runs_it_says_what_to_do():
    at = open_page(PAGE)
    assert "There are no images yet." in texts(at)
    assert [button.label for button in at.button] == ["Bring my images", "Try a sample set"]


def test_every_run_has_a_row_with_what_it_was_and_how_good_it_is(workspace, dataset):
    ended_run(workspace, dataset, "Shallow", accuracy=0.875)
    ended_run(workspace, dataset, "Deep", accuracy=0.9, config=DEEPER)
    ended_run(workspace, dataset, "Nothing", status="stopped", model=False)
    rows = table(open_page(PAGE)).set_index("run")
    assert list(rows.index) == ["Nothing", "Deep", "Shallow"]
    assert rows["status"].tolist() == ["Stopped by you, no model", "Done", "Done"]
    assert rows["accuracy"].tolist()[1:] == [pytest.approx(90), 87.5]
    assert rows["dataset"].tolist() == ["Pets"] * 3
    assert rows["frozen"].tolist()[1].startswith("120 of")
    assert rows["rates"].tolist()[1] == "0.002, then 2 × 10⁻⁵"
    assert len(rows["curve"].tolist()[1]) == 7
    assert list(rows["curve"].tolist()[0]) == []


def test_search_and_status_choose_among_the_runs(workspace, dataset):
    ended_run(workspace, dataset, "Shallow")
    deep = ended_run(workspace, dataset, "Deep")
    annotate_run(workspace, deep.id, starred=True, notes="the best one so far")
    ended_run(workspace, dataset, "Nothing", status="failed", model=False)
    at = open_page(PAGE)
    assert len(table(at)) == 3
    checked(at.text_input(key="runs-search").set_value("BEST one").run())
    assert table(at)["run"].tolist() == ["★ Deep"]
    checked(at.text_input(key="runs-search").set_value("").run())
    checked(at.selectbox(key="runs-shown").select("Without a model").run())
    assert table(at)["run"].tolist() == ["Nothing"]
    checked(at.text_input(key="runs-search").set_value("no such word").run())
    assert not at.dataframe
    assert "No run matches" in at.info[0].value


def test_tags_are_added_on_the_page_of_a_run_and_choose_among_the_runs(workspace, dataset, run):
    ended_run(workspace, dataset, "Untagged")
    at = open_page(PAGE)
    assert not at.multiselect  # nothing to choose among yet
    assert "tags" not in table(at).columns
    at = open_run(run)
    at.multiselect(key=f"runs-{run.id}-tags").set_value(["Baseline", "group 3"])
    checked(at.run())
    assert find_run(workspace, run.id).tags == ("Baseline", "group 3")
    at = press(at, "All runs")
    assert [list(tags) for tags in table(at)["tags"]] == [[], ["Baseline", "group 3"]]
    checked(at.multiselect(key="runs-tags").set_value(["group 3"]).run())
    assert table(at)["run"].tolist() == ["First try"]
    annotate_run(workspace, run.id, tags=["Baseline"])  # meanwhile, elsewhere: nobody has the chosen one any more
    assert len(table(checked(at.run()))) == 2
    checked(at.text_input(key="runs-search").set_value("baseline").run())
    assert table(at)["run"].tolist() == ["First try"]


def test_a_tag_that_is_too_long_is_refused_in_a_sentence(workspace, run):
    at = open_run(run)
    at.multiselect(key=f"runs-{run.id}-tags").set_value(["x" * 30])
    checked(at.run())
    assert "at most 24 characters" in at.error[0].value
    assert at.multiselect(key=f"runs-{run.id}-tags").value == []
    assert find_run(workspace, run.id).tags == ()


def test_each_status_is_found_by_its_filter(workspace, dataset, run):
    waiting = create_run(workspace, TrainingConfig(), dataset, "Waiting")
    runs = list_runs(workspace)
    assert [found.name for found in matching(runs, "In progress", "")] == [waiting.name]
    assert [found.name for found in matching(runs, "With a model", "")] == [run.name]
    assert matching(runs, "Starred", "") == []


def test_a_run_is_opened_by_its_name_without_a_mouse(workspace, dataset, run):
    ended_run(workspace, dataset, "Another")
    at = open_page(PAGE)
    checked(at.selectbox(key="runs-open").select(run.id).run())
    assert at.query_params["run"] == run.id
    assert at.header[0].value == "First try"
    assert press(at, "All runs").selectbox(key="runs-open").value is None


def test_a_run_leads_to_its_page_in_mlflow_and_says_what_is_missing_there(run):
    run.folder.tracking_folder.mkdir()
    write_sent(run.folder, Sent(page="http://localhost:5000/#/runs/1", problem="MLflow did not take all of it."))
    shown = texts(open_run(run))
    assert "[Open it in MLflow](http://localhost:5000/#/runs/1)" in shown
    assert plain("MLflow did not take all of it.") in shown


def test_an_opened_run_shows_how_good_it_is_and_the_next_steps(run):
    at = open_run(run)
    assert at.header[0].value == "First try"
    assert at.success
    assert "Pets" in at.caption[0].value
    labels = [button.label for button in at.button]
    assert "Try it on a photo" in labels
    assert "Star" in labels
    assert "run" not in press(at, "All runs").query_params
    assert len(table(at)) == 1


@pytest.mark.parametrize("link", ["nothing", "../../etc", "first-try-" + "0" * 32])
def test_a_link_to_no_run_is_answered_in_a_sentence(run, link):
    at = open_page(PAGE, run=link)
    assert len(at.error) == 1
    assert "list of runs" in at.error[0].value
    assert not at.success


def test_star_rename_and_notes_are_kept_in_the_run(workspace, run):
    at = open_run(run)
    press(at, "Star")
    assert at.header[0].value == "★ First try"
    checked(at.text_area[0].set_value("=was good").run())
    at.text_input(key=f"runs-{run.id}-name").set_value("Second *name*")
    press(at, "Save the name")
    kept = find_run(workspace, run.id)
    assert (kept.name, kept.starred, kept.notes) == ("Second *name*", True, "=was good")
    assert at.header[0].value == "★ Second \\*name\\*"
    press(at, "Unstar")
    assert not find_run(workspace, run.id).starred


def test_an_empty_name_is_refused_in_a_sentence_and_the_page_stays(workspace, run):
    at = open_run(run)
    at.text_input(key=f"runs-{run.id}-name").set_value("  ")
    press(at, "Save the name")
    assert "needs a name" in at.error[0].value
    assert find_run(workspace, run.id).name == "First try"
    assert at.text_area


def test_delete_asks_and_then_shows_the_list(workspace, run):
    at = open_run(run)
    assert "gone for good" in texts(at)
    assert run.path.is_dir()
    press(at, "Delete for good")
    assert not run.path.exists()
    assert "There is no run yet." in texts(at)


def test_a_run_in_progress_cannot_be_deleted_and_shows_its_panel(workspace, dataset):
    run = create_run(workspace, TrainingConfig(), dataset, "Waiting")
    at = open_run(run)
    labels = [button.label for button in at.button]
    assert "Delete for good" not in labels
    assert "Withdraw" in labels


def test_an_interrupted_run_offers_to_go_on(workspace, dataset):
    run = ended_run(workspace, dataset, status="running", owner=None)
    at = open_run(run)
    assert format_status(find_run(workspace, run.id)) == "Cut off"
    assert "Resume from the last epoch" in [button.label for button in at.button]


def test_a_failed_run_says_why(workspace, dataset):
    run = ended_run(workspace, dataset, status="failed", model=False, error="The loss became infinite.")
    at = open_run(run)
    assert at.error[0].value == "The loss became infinite."
    assert not [button for button in at.get("download_button") if "model" in button.proto.label]


def test_train_again_fills_the_form_with_the_settings_of_the_run(workspace, dataset):
    run = ended_run(workspace, dataset, config=replace(DEEPER, epochs=7))
    at = press(open_run(run), "Train again")
    assert at.title[0].value == "Train"
    form = at.session_state["train_draft"]
    assert form.config() == run.config
    assert form.dataset_id == dataset.id


def test_the_model_is_downloaded_with_its_class_names(run):
    with zipfile.ZipFile(io.BytesIO(pack_model(run))) as archive:
        assert archive.testzip() is None
        assert archive.read("best.keras") == run.folder.model_file.read_bytes()
        assert json.loads(archive.read("labels.json")) == ["cat", "dog"]
        assert TrainingConfig.from_file(json.loads(archive.read("settings.json"))) == run.config
        assert "(n, 224, 224, 3)" in archive.read("README.txt").decode()


def test_a_sigmoid_model_explains_its_one_number(workspace, dataset):
    run = ended_run(workspace, dataset, config=TrainingConfig(head=HeadConfig(output="sigmoid")))
    with zipfile.ZipFile(io.BytesIO(pack_model(run))) as archive:
        assert "probability of the second class" in archive.read("README.txt").decode()


def test_without_a_model_there_is_nothing_to_download(workspace, dataset):
    with pytest.raises(ModelUnavailableError, match="no model to download"):
        pack_model(ended_run(workspace, dataset, model=False))


def test_the_settings_are_those_of_the_run_formatted_and_as_text(workspace, dataset):
    run = ended_run(workspace, dataset, config=DEEPER)
    at = open_run(run)
    shown = format_settings(run.config)
    assert shown["What was trained"]["Fine-tuning rate"] == "2 × 10⁻⁵"
    assert shown["How it was trained"]["Optimizer"] == "Adam"
    assert "Augmentation" not in shown
    assert len(at.table) == len(shown)
    assert from_text(json.dumps(run.config.to_dict())) == run.config


def test_settings_that_took_no_part_are_left_out():
    assert "Fine-tuning rate" not in format_settings(TrainingConfig())["What was trained"]


@pytest.mark.parametrize(
    ("config", "frozen", "rates"),
    [
        (TrainingConfig(), "all 141", "0.002"),
        (TrainingConfig(frozen_layers=0, fine_tune_epochs=1), "none of 141", "0.002, then 0.0005"),
        (TrainingConfig(backbone="from_the_future"), "all", "0.002"),
        (TrainingConfig(backbone="from_the_future", frozen_layers=7), "7", "0.002"),
    ],
)
def test_frozen_layers_and_rates_are_formatted(config, frozen, rates):
    assert format_frozen(config) == frozen
    assert format_rates(config) == rates


def test_the_log_is_shown_from_its_end_in_whole_lines(tmp_path):
    path = tmp_path / "log.txt"
    path.write_text("".join(f"line {number}\n" for number in range(1000)), encoding="utf-8")
    text, cut = log_end(path, 100)
    assert cut
    assert text.endswith("line 999\n")
    assert text.splitlines()[0].startswith("line 9")
    assert log_end(path, 1_000_000) == (path.read_text(encoding="utf-8"), False)


def test_the_log_of_a_run_is_on_its_page(workspace, run):
    run.folder.log_file.write_text("Traceback: something technical\n", encoding="utf-8")
    update_run(run.path, versions={"keras": "3.15.1"})
    at = open_run(run)
    assert "something technical" in at.code[0].value
    assert "keras 3.15.1" in texts(at)


def test_what_is_kept_for_speed_is_shown_and_can_be_freed(workspace, dataset, run):
    cache = open_cache(workspace)
    with cache.making("features", {"of": "the test"}, [ArraySpec((1000, 1000), "float32")]) as (array,):
        array[:] = 1
    at = open_page(PAGE)
    assert "Cache: 4 MB of 10.0 GB" in texts(at)
    press(at, "Empty the cache")
    assert cache.size_bytes() == 0
    assert "Cache: 0 MB of 10.0 GB" in texts(at)
