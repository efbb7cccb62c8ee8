"""What a model file is refused for before Keras reads it: fast, in one sentence, leaving nothing behind."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from itertools import cycle

import pytest

from tests.hostile.bad_models import BAD_MODELS, BadModel
from tests.hostile.models import CLASSES, config, exported, good_model, head_layers, manifest, packed
from tl_core.config import SETTINGS, HeadConfig, TrainingConfig
from tl_core.errors import ModelFileError, WorkspaceError
from tl_core.imported_models.check.architecture import read_architecture
from tl_core.imported_models.check.known_parts import KNOWN
from tl_core.imported_models.importing import import_model, inspect_file
from tl_core.imported_models.store import delete_imported_model, list_imported_models, load_imported_model
from tl_core.storage.quota import usage
from tl_core.storage.workspace import Workspace

STATIC = [bad for bad in BAD_MODELS if not bad.child]
SECONDS = 0.1
ALLOWED_NAMES = 60
AS_LONG_AS_PARSING = 20  # times; a yardstick that a slow machine stretches, too. 6 are usual
TRIES = 5  # of what is measured; other work on the machine makes the slower ones


@pytest.fixture
def room(tmp_path) -> Workspace:
    return Workspace(tmp_path / "workspace").ensure()


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("bad", STATIC, ids=str)
def test_a_bad_model_is_refused_before_keras_sees_it(room, bad: BadModel):
    data = bad.make()
    started = time.process_time()
    with pytest.raises(ModelFileError, match=bad.says) as caught:
        import_model(room, io.BytesIO(data), "bad.keras", bad.names)
    assert time.process_time() - started < SECONDS
    said = str(caught.value)
    assert said.endswith(".")
    assert "\n" not in said
    assert "Error" not in said
    assert len(said) < 400
    assert list(room.models.iterdir()) == []
    assert list(room.root.parent.iterdir()) == [room.root]


def test_the_corpus_is_as_large_as_promised():
    assert len(STATIC) >= 20
    assert len({bad.name for bad in BAD_MODELS}) == len(BAD_MODELS)


def test_few_kinds_of_parts_are_allowed():
    assert len({name for _, name in KNOWN}) <= ALLOWED_NAMES
    assert all(module is None or module.split(".")[0] == "keras" for module, _ in KNOWN)


HEADS = [
    HeadConfig(pooling=pooling, feature_normalization=normalization, output=output, dense_units=(8,), **more)
    for pooling, normalization, output, more in zip(
        SETTINGS["head.pooling"].choices,
        cycle(SETTINGS["head.feature_normalization"].choices),
        cycle(SETTINGS["head.output"].choices),
        cycle({"activation": name, "batch_norm": True, "l2": 0.01} for name in SETTINGS["head.activation"].choices),
        strict=False,  # of each the first four, which are all
    )
]


@pytest.mark.slow
@pytest.mark.parametrize("head", HEADS, ids=lambda head: f"{head.pooling}-{head.output}")
def test_every_kind_of_head_passes_with_what_its_file_holds(room, tmp_path, head):
    from tl_core.models.classifier import build_classifier  # TensorFlow, which the other tests do without

    settings = TrainingConfig(backbone="mobilenet_v2", weights="random", image_size=32, head=head)
    path = tmp_path / "own.keras"
    build_classifier(settings, 2).model.save(path)
    model = import_model(room, path, "own.keras", CLASSES)
    assert model.outputs == (1 if head.output == "sigmoid" else 2)
    assert model.classes == CLASSES


def test_a_large_description_takes_little_longer_than_its_parsing():
    """The largest of our own has 1.1 MB."""
    layer = head_layers(config())[2]
    values = config()
    head = values["config"]["layers"][2]["config"]["layers"]
    copies = [{**layer, "name": f"a{number}"} for number in range(1_500_000 // len(json.dumps(layer)))]
    head[2:2] = copies
    text = json.dumps(values).encode()
    assert len(text) > 1_100_000
    assert seconds_of(lambda: read_architecture(text)) < AS_LONG_AS_PARSING * seconds_of(lambda: json.loads(text))


def seconds_of(check: Callable[[], object]) -> float:
    """Of the processor, in the fastest of some tries."""

    def once() -> float:
        started = time.process_time()
        check()
        return time.process_time() - started

    return min(once() for _ in range(TRIES))


def test_a_good_model_is_kept_with_what_is_known_of_it(room):
    model = import_model(room, io.BytesIO(good_model()), "folder/Red or blue.keras", ["blue", " red "])
    assert (model.name, model.file_name, model.classes) == ("Red or blue", "Red or blue.keras", CLASSES)
    assert (model.image_size, model.outputs, model.parameters) == (32, 2, 8)
    assert model.model_file.read_bytes() == good_model()
    assert list_imported_models(room) == [model]
    assert import_model(room, io.BytesIO(good_model()), "again.keras", CLASSES) == model, "once is enough"


def test_an_exported_zip_contains_its_class_names(room):
    model = import_model(room, io.BytesIO(exported()), "export.zip", None)
    assert model.classes == CLASSES
    assert not model.has_manifest
    said = manifest(name="Colours *of* mine", temperature=2.0, threshold=0.8, later_versions="say more")
    told = import_model(room, io.BytesIO(said), "export.zip", None)
    assert (told.name, told.temperature, told.threshold) == ("Colours *of* mine", 2.0, 0.8)


def test_a_zip_packed_anew_on_a_mac_is_read_too(room):
    parts = {"export/model.keras": good_model(), "export/labels.txt": b"blue\nred\n"}
    junk = {"__MACOSX/export/._model.keras": b"x"}
    assert import_model(room, io.BytesIO(packed(parts | junk)), "export.zip").classes == CLASSES


def test_a_bare_model_tells_how_many_names_it_needs():
    architecture = inspect_file(io.BytesIO(good_model()))
    assert architecture.classes == 2
    assert inspect_file(io.BytesIO(exported())) is None


def test_a_model_counts_for_the_quota_and_a_full_workspace_takes_none(room, monkeypatch):
    model = import_model(room, io.BytesIO(good_model()), "a.keras", CLASSES)
    assert usage(room).parts["models"] >= len(good_model())
    monkeypatch.setenv("TL_WORKSPACE_GB", "0.00004")
    with pytest.raises(WorkspaceError, match=r"models from files 0 MB.*forget models you no longer need"):
        import_model(room, io.BytesIO(good_model()), "b.keras", ("one", "two"))
    assert list_imported_models(room) == [model]
    delete_imported_model(room, model.id)
    assert usage(room).parts["models"] == 0
    delete_imported_model(room, model.id)


def test_what_is_no_record_any_more_is_no_model(room):
    model = import_model(room, io.BytesIO(good_model()), "a.keras", CLASSES)
    (model.path / "model.json").write_text("[]", encoding="utf-8")
    assert list_imported_models(room) == []
    for gone, said in ((model.id, "is damaged"), ("../../etc", "no such model"), ("nothing", "no such model")):
        with pytest.raises(ModelFileError, match=f"{said}.*open its file again"):
            load_imported_model(room, gone)
