"""Every verb, as a script uses it."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys

import pytest
from PIL import Image

from tests.tl_core.small_trainings import COLOURS, coloured
from tl_core.command_line import main, parser
from tl_core.command_line.train import FINE_TUNE_EPOCHS, read_config
from tl_core.config import AUGMENTATION_LEVELS, TrainingConfig
from tl_core.config.presets import PRESETS
from tl_core.inference.calibration import Calibration, save_calibration
from tl_core.runs import Best, annotate_run, create_run, load_run, update_run
from tl_core.runs.record import Owner

QUICK = (
    *("--backbone", "vgg16", "--weights", "random", "--image-size", "32"),
    *("--learning-rate", "0.01", "--epochs", "2", "--batch-size", "8"),
)


@pytest.fixture
def tl(workspace, monkeypatch, capsys):
    """``tl("runs", "--json")`` -> exit code, the JSON of the last line (or the text), standard error."""
    monkeypatch.setenv("TL_WORKSPACE", str(workspace.root))

    def call(*words):
        code = main([str(word) for word in words])
        out, err = capsys.readouterr()
        return code, (json.loads(out.splitlines()[-1]) if "--json" in words and out else out), err

    return call


@pytest.fixture
def folder(tmp_path):
    for name, colour in COLOURS.items():
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for number in range(6):
            (tmp_path / "pictures" / name / f"{number}.png").write_bytes(coloured(colour, 300 + number))
    return tmp_path / "pictures"


def test_backbones_are_listed(tl):
    code, values, _ = tl("backbones", "--json")
    assert code == 0
    lite = next(row for row in values["backbones"] if row["name"] == "efficientnet_lite0")
    assert lite["weights_here"] is True
    assert len(values["backbones"]) > 30
    assert "efficientnet_lite0" in tl("backbones")[1]


def test_from_a_folder_to_a_prediction(tl, folder):
    code, imported, _ = tl("import", folder, "--name", "Pictures", "--json")
    assert code == 0
    assert imported["classes"] == ["blue", "green", "red"]

    # A low rate, so that after two epochs the probabilities of the two still differ.
    slowly = (*QUICK, "--learning-rate", 0.001, "--keep-last-epochs", 2)
    code, trained, told = tl("train", "--data", imported["dataset_id"], *slowly, "--json")
    assert code == 0
    assert trained["status"] == "done"
    assert {"run_id", "run_dir", "val_accuracy", "test_accuracy", "epochs", "seconds"} <= trained.keys()
    assert trained["epochs"] == 2
    assert "Epoch 2 of 2" in told

    code, measured, _ = tl("evaluate", trained["run_id"], "--json")
    assert code == 0
    assert measured["accuracy"] == trained["test_accuracy"]
    code, on_folder, _ = tl("evaluate", trained["run_id"], "--data", folder, "--json")
    assert on_folder["images"] == 18
    some = folder.parent / "some"  # one of the classes, in capital letters, and others that cannot be measured (24)
    some.mkdir()
    shutil.copytree(folder / "red", some / "RED")
    shutil.copytree(folder / "blue", some / "purple")
    code, on_some, told = tl("evaluate", trained["run_id"], "--data", some, "--json")
    assert (code, on_some["images"]) == (0, 6)
    assert "Not measured: purple/" in told
    assert "Nothing can be said about blue, green" in told
    code, _, told = tl("evaluate", trained["run_id"], "--data", some / "purple", "--json")
    assert (code, "Nothing tells the classes of these images" in told) == (2, True)
    report = folder.parent / "report.html"
    code, written, _ = tl("evaluate", trained["run_id"], "--report", report, "--json")
    assert (code, written["report"]) == (0, str(report))
    assert written["calibration"]["expected_error"] >= 0
    assert f"{100 * measured['accuracy']:.1f} %" in report.read_text("utf-8")

    picture = folder / "red" / "0.png"
    code, predicted, _ = tl("predict", trained["run_id"], picture, "--json")
    assert code == 0
    assert predicted["predictions"][0]["top"][0]["probability"] > 0.3
    tops = []
    for epoch in (1, 2):
        code, of_epoch, _ = tl("predict", trained["run_id"], picture, "--epoch", epoch, "--json")
        assert (code, of_epoch["epoch"]) == (0, epoch)
        tops.append(of_epoch["predictions"][0]["top"])
    assert tops[0] != tops[1]
    assert tops[predicted["epoch"] - 1] == predicted["predictions"][0]["top"]
    code, _, said = tl("predict", trained["run_id"], picture, "--epoch", 9)
    assert (code, "Epoch 9" in said) == (2, True)

    code, longer, _ = tl("resume", trained["run_id"], "--more", "2", "--json")
    assert code == 0
    assert longer["epochs"] == 4
    code, _, said = tl("resume", trained["run_id"], "--more", "0")
    assert (code, "at least 1" in said) == (2, True)

    code, listed, _ = tl("runs", "--json")
    assert code == 0
    assert trained["run_id"] in [run["run_id"] for run in listed["runs"]]


def test_a_folder_can_be_trained_on_at_once(tl, folder):
    code, trained, _ = tl("train", "--data", folder, *QUICK, "--json")
    assert (code, trained["status"]) == (0, "done")


def test_the_figure_of_a_few_images_comes_with_its_doubts(tl, folder):
    """Case 27: 100 % of two images is no 100 %."""
    code, said, _ = tl("train", "--data", folder, *QUICK)
    assert code == 0
    assert re.search(
        r"% of the \d test images are right \(validation \d+\.\d %\)\.\nAlways answering “\w+” would be right for",
        said,
    )
    assert re.search(r"Only \d images: the true figure may be anywhere from \d+ % to \d+ %\.", said)


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["train", "--data", "nowhere"], "no dataset, folder, archive or sample set"),
        (["train", "--data", "digits", "--learning-rate", "7"], "Learning rate must be"),
        (["train", "--data", "digits", "--batch-size", "0"], "Batch size must be"),
        (["train", "--data", "digits", "--config", "missing.json"], "missing"),
        (["import", "nowhere"], "no dataset"),
        (["predict", "nothing", "a.png"], "no run"),
        (["evaluate", "nothing"], "no run"),
        (["resume", "nothing"], "no run"),
        (["compare", "nothing", "nothing"], "no run"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_bad_input_is_one_plain_sentence(tl, words, part):
    code, out, err = tl(*words)
    assert code == 2
    assert part in err
    assert len(err.strip().splitlines()) == 1
    assert "Traceback" not in err
    assert out == ""


def test_runs_are_listed_by_their_tags(tl, workspace, dataset):
    marked, _plain = (create_run(workspace, TrainingConfig(), dataset) for _ in range(2))
    annotate_run(workspace, marked.id, tags=["Baseline", "group 3"])
    for words, found in ((["baseline"], 1), (["baseline", "GROUP 3"], 1), (["baseline", "other"], 0)):
        listed = tl("runs", "--json", *(part for word in words for part in ("--tag", word)))[1]["runs"]
        assert [run["run_id"] for run in listed] == [marked.id][:found]
    assert "Baseline, group 3" in tl("runs")[1]


def test_runs_are_listed_with_what_they_got_right_in_validation_and_test(tl, workspace, dataset):
    run = create_run(workspace, TrainingConfig(), dataset)
    update_run(run.path, status="done", best=Best(epoch=3, phase="head", val_loss=0.25, val_accuracy=0.9))
    (run.path / "metrics.json").write_text('{"test": {"accuracy": 0.8}}')
    head, *lines = tl("runs")[1].splitlines()
    (line,) = [line for line in lines if line.startswith(run.id)]
    place = head.index("test ")
    assert head.index("validation") < place
    assert "90.0 %" in line[:place]
    assert line[place:].startswith("80.0 %")


@pytest.mark.parametrize(("verb", "listing"), [("predict", "runs"), ("evaluate", "runs"), ("audit", "datasets")])
def test_an_unknown_id_names_the_command_that_lists_those_there_are(tl, verb, listing):
    code, _, err = tl(verb, "nosuch", *(["photo.png"] if verb == "predict" else []))
    assert code == 2
    assert f"python -m tl_core {listing}" in err


def test_a_name_that_only_one_has_stands_for_its_id(tl, workspace, folder):
    made = tl("import", folder, "--name", "My pictures", "--json")[1]["dataset_id"]
    assert tl("datasets", "My pictures", "--json")[:2] == tl("datasets", made, "--json")[:2]
    trained = tl("train", "--data", "My pictures", *QUICK, "--name", "First one", "--json")[1]
    assert load_run(workspace.runs / trained["run_id"]).dataset_id == made
    assert tl("evaluate", "First one", "--json")[0] == 0
    again = tl("import", folder, "--name", "My pictures", "--json")[1]["dataset_id"]
    code, _, err = tl("train", "--data", "My pictures", *QUICK)
    assert code == 2
    assert f"2 datasets are named “My pictures”: use the id of one, such as {again}." in err


def test_runs_of_one_name_are_told_apart_by_their_ids(tl, workspace, dataset):
    runs = [create_run(workspace, TrainingConfig(), dataset, "Twice") for _ in range(2)]
    code, _, err = tl("compare", "Twice", runs[0].id)
    assert code == 2
    assert "2 runs are named “Twice”: use the id of one, such as " in err
    other = create_run(workspace, TrainingConfig(), dataset, "Once")
    assert tl("compare", "Once", runs[0].id, "--json")[:2] == tl("compare", other.id, runs[0].id, "--json")[:2]


def test_no_verb_at_all_shows_them(tl):
    code, _, err = tl()
    assert code == 2
    assert "doctor" in err
    assert "train " in err
    assert "the following arguments are required" not in err


def test_runs_are_compared_side_by_side(tl, workspace, dataset):
    plain, calm = (create_run(workspace, TrainingConfig(learning_rate=rate), dataset) for rate in (0.002, 0.0001))
    update_run(calm.path, status="done", best=Best(epoch=3, phase="head", val_loss=0.25, val_accuracy=0.9))
    code, found, _ = tl("compare", plain.id, calm.id, "--json")
    assert code == 0
    assert found["differing"] == {"Learning rate": ["0.002", "0.0001"]}
    assert [run["val_accuracy"] for run in found["runs"]] == [None, 0.9]
    assert TrainingConfig.from_dict(found["runs"][1]["config"]) == calm.config
    lines = tl("compare", plain.id, calm.id)[1].splitlines()
    assert lines[0].split() == [*f"{plain.name} (1)".split(), *f"{plain.name} (2)".split()]  # no two columns alike
    assert lines[1].split() == ["Validation", "accuracy", "–", "90.0", "%"]
    assert lines[-1].split() == ["Learning", "rate", "0.002", "0.0001"]


def test_a_report_that_cannot_be_written_is_a_sentence(tl, shared_run, tmp_path):
    for name, said in (("report.pdf", "something.html"), ("missing/report.html", "name another file")):
        code, out, err = tl("evaluate", shared_run.record.id, "--report", tmp_path / name)
        assert (code, out) == (2, "")
        assert said in err


def test_more_layers_than_there_are(tl, dataset):
    code, _, err = tl("train", "--data", dataset.id, *QUICK, "--frozen", "500", "--fine-tune-epochs", "1")
    assert code == 2
    assert "19 layers" in err.splitlines()[-1]


def test_a_bad_image_among_good_ones(tl, folder, shared_run, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"text")
    good, missing = folder / "red" / "0.png", tmp_path / "missing.png"
    code, predicted, _ = tl("predict", shared_run.record.id, missing, good, bad, "--json")
    assert code == 2
    assert [answer["answer"] for answer in predicted["predictions"]] == [None, "red", None]
    assert [answer["error"] is None for answer in predicted["predictions"]] == [False, True, False]
    assert "cannot be read" in predicted["predictions"][0]["error"]
    code, lines, _ = tl("predict", shared_run.record.id, good, bad)
    assert code == 2
    assert lines.startswith(f"{good}: red ")
    code, out, err = tl("predict", shared_run.record.id, missing)
    assert (code, out) == (2, "")
    assert "cannot be read" in err


def test_an_answer_below_the_threshold_is_marked(tl, folder, shared_run):
    picture = folder / "red" / "0.png"
    code, sure, _ = tl("predict", shared_run.record.id, picture, "--json")
    assert (sure["threshold"], sure["predictions"][0]["answer"]) == (0.0, "red")
    confidence = Calibration(model_sha256=shared_run.record.model_sha256, temperature=20.0, threshold=0.9)
    save_calibration(shared_run.record.workspace, shared_run.record, confidence)
    try:
        code, doubtful, _ = tl("predict", shared_run.record.id, picture, "--json")
        assert (code, doubtful["temperature"], doubtful["predictions"][0]["answer"]) == (0, 20.0, None)
        assert doubtful["predictions"][0]["top"][0]["class"] == "red"
        assert "I don't know; best guess: red" in tl("predict", shared_run.record.id, picture)[1]
    finally:
        shared_run.folder.calibration_file.unlink()


def test_an_image_is_explained_as_a_picture(tl, folder, shared_run, tmp_path):
    target, picture = tmp_path / "why.png", folder / "red" / "0.png"
    code, values, _ = tl("explain", shared_run.record.id, picture, "--output", target, "--json")
    assert (code, values["class"], values["output"]) == (0, "red", str(target))
    with Image.open(target) as drawn:
        assert (drawn.format, max(drawn.size)) == ("PNG", 360)
    code, values, _ = tl(
        *("explain", shared_run.record.id, picture, "--output", target),
        *("--class", "blue", "--block", values["blocks"][0], "--json"),
    )
    assert (values["class"], values["block"]) == ("blue", values["blocks"][0])
    assert values["probability"] < 0.5


@pytest.mark.parametrize(
    ("words", "part"),
    [(["--class", "zebra"], "knows no class “zebra”"), (["--block", "Attic"], "no block"), ([], "cannot be written")],
)
def test_what_cannot_be_explained_is_a_sentence(tl, folder, shared_run, tmp_path, words, part):
    target = tmp_path / "missing" / "why.png"
    code, _, err = tl("explain", shared_run.record.id, folder / "red" / "0.png", "--output", target, *words)
    assert code == 2
    assert part in err


def test_only_an_interrupted_run_can_be_resumed(tl, shared_run):
    code, _, err = tl("resume", shared_run.record.id)
    assert code == 2
    assert "nothing to resume" in err


def config_of(*words):
    return read_config(parser().parse_args(["train", "--data", "digits", *words]))


def test_options_change_the_preset():
    assert config_of() == PRESETS["quick_start"].config
    assert config_of("--preset", "vgg16_finetune") == PRESETS["vgg16_finetune"].config
    config = config_of("--dense", "64,32", "--dropout", "0.4", "--augmentation", "light", "--class-weights")
    assert config.head.dense_units == (64, 32)
    assert config.head.dropout == 0.4
    assert config.augmentation == AUGMENTATION_LEVELS["light"]
    assert config.class_weights
    assert config_of("--frozen", "all").frozen_layers is None


def test_unfreezing_layers_fine_tunes_them():
    config = config_of("--preset", "mobilenet_quick", "--frozen", "100")
    assert (config.frozen_layers, config.fine_tune_epochs) == (100, FINE_TUNE_EPOCHS)
    assert (
        config_of("--preset", "mobilenet_quick", "--frozen", "100", "--fine-tune-epochs", "3").fine_tune_epochs == 3
    )


def test_a_saved_configuration_can_be_used(tmp_path):
    file = tmp_path / "config.json"
    file.write_text(json.dumps(PRESETS["vgg16_features"].config.to_dict()))
    assert config_of("--config", str(file)) == PRESETS["vgg16_features"].config


@pytest.mark.slow
def test_ctrl_c_keeps_the_best_model_and_exits_with_130(workspace, dataset):
    words = [sys.executable, "-m", "tl_core", "train", "--data", dataset.id, *QUICK, "--epochs", "1000", "--json"]
    environment = {**os.environ, "TL_WORKSPACE": str(workspace.root)}
    process = subprocess.Popen(words, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    for line in process.stderr:
        if line.startswith("Epoch 3 "):
            process.send_signal(signal.SIGINT)
            break
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    values = json.loads(out.splitlines()[-1])
    assert values["status"] == "stopped"
    assert load_run(workspace.runs / values["run_id"]).has_model


def test_an_interrupted_run_is_resumed(tl, workspace, dataset, shared_run, monkeypatch):
    run = create_run(workspace, shared_run.record.config, dataset)
    process = subprocess.Popen([sys.executable, "-c", ""])
    owner = Owner(pid=process.pid, started=0.0)
    process.wait()
    update_run(run.path, status="running", owner=owner)
    code, values, _ = tl("resume", run.id, "--json")
    assert code == 0
    assert values["status"] == "done"


def test_a_sample_set_takes_the_wished_name_and_keeps_the_split_that_it_comes_with(tl):
    code, values, _ = tl("import", "surfaces", "--name", "Floors", "--test", 0.3, "--json")
    assert code == 0
    assert values["name"] == "Floors"
    assert values["images"] == {"train": 216, "validation": 60, "test": 60}


def test_a_wrong_dataset_or_image_is_answered_for_a_terminal_and_at_once(tl, folder):
    imported = tl("import", folder, "--json")[1]["dataset_id"]
    code, _, err = tl("edit", imported, "--move", "cat 7.png", "--class", "red")
    assert code == 2
    assert f"`python -m tl_core datasets {imported}` lists them all" in err
    names = tl("datasets", imported)[1]
    assert "red/0.png" in names
    assert tl("edit", imported, "--move", "red/0.png", "--class", "blue")[0] == 0
    assert imported in tl("datasets")[1]
    for words, said in (
        (("--class", "blue"), "nothing is said to go there: add --move or --add or --merge-classes"),
        (("--remove", "red/1.png", "--split", "test"), "--split test says where to"),
        (("--merge-classes", "red"), "--merge-classes got “red” alone"),
        (("--add", str(folder)), "--add needs to know the class"),
        (("--add", str(folder), "--class", ""), "A class needs a name that can be read"),
        (("--rename-class", "red", " "), "A class needs a name that can be read"),
        (("--merge-classes", "red", "blue", "--class", ""), "A class needs a name that can be read"),
        (("--move", "red/1.png", "--class", ""), "A class needs a name that can be read"),
        (("--delete-class", ""), "has no class “”"),
        (("--remove", "red/1.png", "--rename-class", "pink", "rose"), "has no class “pink”: its classes are"),
    ):
        code, _, err = tl("edit", imported, *words)
        assert code == 2
        assert said in err
    assert "--remove: Removed 1 image" in err, "what was done before stays done, and is told"
    assert "red/1.png" not in tl("datasets", imported)[1]
    code = (
        "import sys; from tl_core.command_line import main; code = main(['audit', 'nothing']);"
        "print(code, [name for name in ('tensorflow', 'keras', 'sklearn') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "2 []"
    assert "from `python -m tl_core datasets` in a terminal" in answer.stderr
