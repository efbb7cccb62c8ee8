"""The Data page, driven without a browser."""

from __future__ import annotations

import importlib
import io
import itertools
import tarfile
import threading
import zipfile

import pytest
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.testing.v1 import AppTest

from tests.ui.pages_without_browser import checked, open_page, picture, pictures, press, run_until, texts
from tests.ui.trained_runs import colour_dataset
from tl_core.config import TrainingConfig
from tl_core.data import import_uploads, import_zip, list_datasets
from tl_core.data.collecting import COLLECTIONS, bring
from tl_core.data.editing import merge_classes
from tl_core.data.health import health_report
from tl_core.errors import StoppedError, WorkspaceError
from tl_core.runs import create_run, update_run
from tl_core.runs.store import this_process
from ui.data_page import class_by_class

PAGE = "pages/1_Data.py"
BROKEN = {label: [(f"{number}.png", b"no picture") for number in range(3)] for label in ("cat", "dog")}
imports = importlib.import_module("ui.data_page.imports")
piles = importlib.import_module("ui.data_page.piles")
upload = importlib.import_module("ui.data_page.upload")


def open_data(**parameters):
    return open_page(PAGE, **parameters)


def zip_of(images):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for label, members in images.items():
            for name, content in members:
                archive.writestr(f"{label}/{name}", content)
    return file.getvalue()


def wait_for_import(at, workspace):
    run_until(at, lambda _: not imports.running_imports(workspace))
    return checked(at.run())


def bring_class_by_class(at, images):
    """Name the classes and bring their files; they are on the disk then."""
    for number, (label, files) in enumerate(images.items()):
        at.text_input(key=f"class-name-{number}-0").set_value(label)
        for name, content in files:
            at.file_uploader(key=f"class-files-{number}-0").upload(name, content)
    checked(at.run())
    return run_until(at, lambda at: not at.progress)


def warnings(at):
    return [warning.value for warning in at.warning]


def test_without_images_it_says_how_to_begin(workspace):
    at = open_data()
    assert "There are no images here yet" in texts(at)
    assert [tab.label for tab in at.tabs] == [
        "Sample set",
        "Zip file",
        "Folder",
        "Class by class",
        "Label by pointing",
    ]
    assert next(button.label for button in at.button if button.proto.type == "primary") == "Use handwritten digits"


def test_a_sample_set_comes_with_one_click(workspace):
    at = press(open_data(), "Use surfaces")
    wait_for_import(at, workspace)
    (dataset,) = list_datasets(workspace)
    assert dataset.name == "Surfaces"
    assert at.query_params["dataset"] == dataset.id
    assert [metric.value for metric in at.metric] == ["336", "3", "216", "60", "60"]


def test_a_zip_is_imported_under_the_name_given(workspace):
    at = open_data()
    at.file_uploader(key="zip-0").upload("my pets.zip", zip_of(pictures()))
    checked(at.run())
    at.text_input(key="name-zip").set_value("Our pets")
    at.number_input(key="test-zip").set_value(0)
    checked(at.button(key="import-zip").click().run())
    wait_for_import(at, workspace)
    (dataset,) = list_datasets(workspace)
    assert (dataset.name, dataset.source, len(dataset.images)) == ("Our pets", "zip my pets.zip", 40)
    assert dataset.of_split("test") == ()


def test_files_that_were_counted_before_and_could_not_be_read_are_told(workspace):
    at = open_data()
    images = pictures()
    images["cat"] = [*images["cat"], ("broken.png", b"no picture"), ("empty.png", b"")]
    at.file_uploader(key="zip-0").upload("pets.zip", zip_of(images))
    checked(at.run())
    assert "**42 image files of 2 classes**" in texts(at)
    checked(at.button(key="import-zip").click().run())
    run_until(at, lambda at: at.toast)
    assert at.toast[0].value.endswith("40 images in 2 classes. 2 files of 42 could not be read.")


def test_what_a_zip_holds_is_shown_before_it_is_imported(workspace):
    """The published archive of a competition was imported without a word as the classes train and test1 (15)."""
    at = open_data()
    numbered = [
        (f"{name}.{number}.jpg", picture(9 * ord(name[0]) + number)) for name in ("cat", "dog") for number in range(4)
    ]
    without = [(f"{number}.jpg", picture(20 + number)) for number in range(3)]
    at.file_uploader(key="zip-0").upload("pets.zip", zip_of({"train": numbered, "test1": without}))
    checked(at.run())
    shown = texts(at)
    assert "**8 image files of 2 classes**" in shown
    assert "classes from the names of the files" in shown
    assert "Left out: test1/0\\.jpg, test1/1\\.jpg, test1/2\\.jpg" in shown
    assert list_datasets(workspace) == []
    assert at.button(key="import-zip").label == "Import as shown"
    checked(at.button(key="import-zip").click().run())
    wait_for_import(at, workspace)
    assert [dataset.classes for dataset in list_datasets(workspace)] == [("cat", "dog")]


def test_a_zip_of_which_nothing_can_be_imported_says_so_at_once(workspace):
    at = open_data()
    at.file_uploader(key="zip-0").upload("empty.zip", zip_of({}))
    checked(at.run())
    assert [error.value for error in at.error] == [
        "The zip file is empty\\: put one folder of images per class into it\\."
    ]
    assert at.button(key="import-zip").disabled


@pytest.mark.parametrize("packed", ["zip", "tar.gz"])
def test_pictures_without_class_folders_lead_to_labelling_by_pointing_with_the_same_file(workspace, packed):
    contents = [content for files in pictures(each=6).values() for _, content in files]
    loose = {f"{number}.png": content for number, content in enumerate(contents)}
    file = io.BytesIO()
    if packed == "zip":
        with zipfile.ZipFile(file, "w") as archive:
            for name, content in loose.items():
                archive.writestr(name, content)
    else:
        with tarfile.open(fileobj=file, mode="w:gz") as tar:
            for name, content in loose.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    at = open_data()
    at.file_uploader(key="zip-0").upload(f"loose.{packed}", file.getvalue())
    checked(at.run())
    assert "lie in no class folders" in at.error[0].value
    checked(at.button(key="zip-to-pointing").click().run())
    run_until(at, lambda at: not at.progress)
    assert at.session_state["new-dataset-ways"] == "Label by pointing"
    (collection,) = COLLECTIONS.list_all(workspace)
    assert len(collection.pictures) == len(loose)
    assert not at.file_uploader(key="zip-1").value, "the field is empty: its file has gone there"


def test_classes_of_two_images_cannot_be_imported_as_shown(workspace):
    at = open_data()
    at.file_uploader(key="zip-0").upload("pets.zip", zip_of(pictures(each=2)))
    checked(at.run())
    assert "“cat” and “dog” have fewer than 3 images" in texts(at)
    assert at.button(key="import-zip").disabled


def test_a_folder_of_the_server_that_is_not_clear_is_shown_first(workspace, tmp_path, monkeypatch):
    for label, files in pictures(each=3).items():
        (tmp_path / "shared" / "pets" / label).mkdir(parents=True)
        for name, content in files:
            (tmp_path / "shared" / "pets" / label / name).write_bytes(content)
    (tmp_path / "shared" / "pets" / "notes.txt").write_text("x")
    monkeypatch.setenv("TL_DATA_ROOT", str(tmp_path / "shared"))
    at = press(open_data(), "Import this folder")
    assert "Left out: pets/notes\\.txt" in texts(at)
    assert list_datasets(workspace) == []
    press(at, "Import as shown")
    wait_for_import(at, workspace)
    assert [dataset.name for dataset in list_datasets(workspace)] == ["shared"]


def test_a_folder_is_imported_with_its_class_folders(workspace):
    at = open_data()
    for label, files in pictures(each=3).items():
        for name, content in files:
            at.file_uploader(key="folder-files-0").upload(f"pets/{label}/{name}", content)
    at.file_uploader(key="folder-files-0").upload("pets/notes.txt", b"not a picture")
    checked(at.run())
    assert at.text_input(key="name-own-folder").placeholder == "pets"
    checked(at.button(key="import-own-folder").click().run())
    wait_for_import(at, workspace)
    (dataset,) = list_datasets(workspace)
    assert (dataset.name, dataset.source, dataset.classes) == ("pets", "folder pets", ("cat", "dog"))
    assert [skipped.name for skipped in dataset.skipped] == ["pets/notes.txt"]


def test_a_table_in_a_folder_tells_the_classes_before_and_at_the_import(workspace):
    at = open_data()
    field = at.file_uploader(key="folder-files-0")
    for number in range(8):
        field.upload(f"trees/{number}.png", picture(number))
    lines = ["file,label", *(f"{number}.png,{'oak' if number < 4 else 'elm'}" for number in range(8))]
    field.upload("trees/labels.csv", "\n".join(lines).encode())
    checked(at.run())
    assert not at.error
    assert "classes from a table beside the images" in texts(at)
    checked(at.button(key="import-own-folder").click().run())
    wait_for_import(at, workspace)
    assert [dataset.classes for dataset in list_datasets(workspace)] == [("elm", "oak")]


def test_images_are_uploaded_class_by_class(workspace):
    at = open_data()
    assert at.button(key="import-uploads").disabled
    bring_class_by_class(at, pictures(each=6))
    checked(at.button(key="import-uploads").click().run())
    wait_for_import(at, workspace)
    (dataset,) = list_datasets(workspace)
    assert dataset.counts().keys() == {"cat", "dog"}
    assert len(dataset.images) == 12


def test_pictures_that_have_arrived_before_their_bar_is_drawn_are_seen_at_once(workspace, monkeypatch):
    begun = []
    start, draw = piles.ARRIVALS.start, class_by_class.file_field

    def draw_late(*arguments, **options):  # when all that has begun is done, so that no bar draws the page again
        while any(not piles.ARRIVALS.find(task).ended for task in begun):
            threading.Event().wait(0.01)
        draw(*arguments, **options)

    monkeypatch.setattr(piles.ARRIVALS, "start", lambda *a, **k: begun.append(start(*a, **k)) or begun[-1])
    monkeypatch.setattr(class_by_class, "file_field", draw_late)
    at = open_data()
    for number, (label, files) in enumerate(pictures(each=6).items()):
        at.text_input(key=f"class-name-{number}-0").set_value(label)
        for name, content in files:
            at.file_uploader(key=f"class-files-{number}-0").upload(name, content)
    checked(at.run())
    assert len(begun) == 2
    assert not at.progress
    assert not at.button(key="import-uploads").disabled


def test_what_an_import_refuses_comes_back_into_the_form(workspace):
    at = open_data()
    same = next(iter(pictures(each=6).values()))
    bring_class_by_class(at, {"cat": same, "dog": same})
    checked(at.button(key="import-uploads").click().run())
    wait_for_import(at, workspace)
    (error,) = at.error
    assert "the same images are in several classes" in error.value
    assert [at.text_input(key=f"class-name-{number}-1").value for number in (0, 1)] == ["cat", "dog"]
    assert not at.button(key="import-uploads").disabled


@pytest.fixture
def released(monkeypatch):
    """Ids of the uploads that were taken out of the server's memory."""
    ids = []
    remove = MemoryUploadedFileManager.remove_file
    monkeypatch.setattr(
        MemoryUploadedFileManager,
        "remove_file",
        lambda manager, tab, file_id: ids.append(file_id) or remove(manager, tab, file_id),
    )
    return ids


def test_uploads_leave_the_memory_of_the_server_when_they_are_imported(workspace, released):
    at = open_data()
    at.file_uploader(key="zip-0").upload("pets.zip", zip_of(pictures(each=4)))
    bring_class_by_class(at, pictures(each=3))
    assert len(set(released)) == 2 * 3, "pictures are on the disk as soon as they have come"
    checked(at.button(key="import-zip").click().run())
    wait_for_import(at, workspace)
    assert len(set(released)) == 1 + 2 * 3
    assert [len(dataset.images) for dataset in list_datasets(workspace)] == [8]


def test_a_class_can_be_added(workspace):
    at = press(open_data(), "Add a class")
    assert at.text_input(key="class-name-2-0").label == "Class 3"


def test_a_folder_of_the_server_is_found_by_clicking(workspace, tmp_path, monkeypatch):
    root = tmp_path / "shared"
    for label, files in pictures(each=3).items():
        folder = root / "pets" / label
        folder.mkdir(parents=True)
        for name, content in files:
            (folder / name).write_bytes(content)
    monkeypatch.setenv("TL_DATA_ROOT", str(root))
    at = open_data()
    (choice,) = [box for box in at.selectbox if box.label == "Folders in it"]
    checked(choice.set_value("pets").run())
    press(at, "Open")
    assert "**pets**" in texts(at)
    press(at, "Import this folder")
    wait_for_import(at, workspace)
    assert [dataset.name for dataset in list_datasets(workspace)] == ["pets"]


def test_an_import_that_fails_says_why_and_keeps_nothing(workspace):
    at = open_data()
    at.file_uploader(key="zip-0").upload("broken.zip", zip_of(BROKEN))
    checked(at.run())
    checked(at.button(key="import-zip").click().run())
    wait_for_import(at, workspace)
    (error,) = at.error
    assert error.value.startswith("**broken\\.zip** was not imported. ")
    assert list_datasets(workspace) == []


@pytest.fixture
def full_at_first(monkeypatch):
    """The first import meets a full disk, which a person can mend."""
    tries = itertools.count()

    def import_when_there_is_room(*arguments):
        if next(tries) == 0:
            raise WorkspaceError("The disk is full: free some space.")
        return import_zip(*arguments)

    monkeypatch.setattr(upload, "import_zip", import_when_there_is_room)


def test_a_file_whose_import_failed_need_not_be_sent_again(workspace, full_at_first, released):
    at = open_data()
    at.file_uploader(key="zip-0").upload("pets.zip", zip_of(pictures(each=4)))
    checked(at.run())
    checked(at.button(key="import-zip").click().run())
    wait_for_import(at, workspace)
    assert "The disk is full" in at.error[0].value
    assert not released
    assert "**pets\\.zip** is still here" in texts(at)
    checked(at.button(key="import-zip").click().run())
    wait_for_import(at, workspace)
    (dataset,) = list_datasets(workspace)
    assert (dataset.name, len(dataset.images)) == ("pets", 8)
    assert len(released) == 1
    assert "is still here" not in texts(at)


def test_a_file_whose_import_failed_can_be_let_go(workspace, full_at_first, released):
    at = open_data()
    at.file_uploader(key="zip-0").upload("pets.zip", zip_of(pictures(each=4)))
    checked(at.run())
    checked(at.button(key="import-zip").click().run())
    wait_for_import(at, workspace)
    checked(at.button(key="kept-zip-remove").click().run())
    assert len(released) == 1
    assert at.button(key="import-zip").disabled
    assert "is still here" not in texts(at)


def panel(at):
    (found,) = [expander for expander in at.expander if expander.label == "New dataset"]
    return found


@pytest.mark.slow
def test_the_panel_of_a_new_dataset_closes_when_it_is_there_and_stays_open_when_it_is_not(workspace, dataset):
    at = open_data()
    at.session_state["new-dataset"] = True
    checked(at.run())
    at.file_uploader(key="zip-0").upload("broken.zip", zip_of(BROKEN))
    checked(at.run())
    checked(at.button(key="import-zip").click().run())
    wait_for_import(at, workspace)
    assert at.session_state["new-dataset"] is True
    press(at, "Use surfaces")
    wait_for_import(at, workspace)
    assert at.session_state["new-dataset"] is False
    assert not at.error
    assert at.header[0].value == "Surfaces"


def test_an_import_shows_its_progress_and_can_be_cancelled(workspace, monkeypatch):
    reached, ended = threading.Event(), threading.Event()

    def slow_sample(workspace, name, task):
        task.report(320, 1258)
        reached.set()
        while not task.should_stop():
            ended.wait(0.01)
        raise StoppedError("Stopped.")

    monkeypatch.setattr("ui.data_page.upload.import_sample", slow_sample)
    at = press(open_data(), "Use handwritten digits")
    assert reached.wait(10)
    checked(at.run())
    assert at.progress[0].text == "320 of 1,258 images"
    assert at.progress[0].value == 25
    press(at, "Cancel")
    wait_for_import(at, workspace)
    assert not at.progress
    assert list_datasets(workspace) == []
    assert "There are no images here yet" in texts(at)


def test_a_link_opens_its_dataset(workspace, dataset):
    import_uploads(workspace, pictures(("ant", "bee", "cow"), each=4), "Farm")
    at = open_data(dataset=dataset.id)
    assert at.selectbox(key="frame-dataset").value == dataset.id
    assert at.metric[0].value == "40"


def test_a_link_to_a_dataset_that_is_gone_says_so_and_shows_another(dataset):
    at = open_data(dataset="gone-0123456789abcdef0123456789abcdef")
    assert "a dataset that is not here, or no longer" in warnings(at)[0]
    assert at.selectbox(key="frame-dataset").value == dataset.id


def test_choosing_another_dataset_changes_the_link(workspace, dataset):
    other = import_uploads(workspace, pictures(("ant", "bee"), each=4), "Farm")
    at = open_data()
    assert at.query_params["dataset"] == other.id
    checked(at.selectbox(key="frame-dataset").set_value(dataset.id).run())
    assert at.query_params["dataset"] == dataset.id
    assert at.metric[0].value == "40"


def test_the_summary_has_chart_and_health(dataset):
    at = open_data()
    assert len(at.get("plotly_chart")) == 1
    shown = texts(at) + "".join(button.label for button in at.button)  # those that speak of images are buttons
    for finding in health_report(dataset):
        assert finding.text.split(" ")[0] in shown


def test_what_was_left_out_is_listed_with_the_reason(workspace):
    images = pictures(each=20)
    images["cat"].append(("notes.jpg", b"this is text"))
    import_uploads(workspace, images, "Pets")
    at = open_data()
    assert "Why files were left out" in [expander.label for expander in at.expander]
    table = at.dataframe[0].value
    assert list(table["File"]) == ["cat/notes.jpg"]


def test_a_dataset_is_renamed(workspace, dataset):
    at = open_data()
    (name,) = [field for field in at.text_input if field.label == "New name"]
    name.set_value("Cats and dogs of the street")
    (button,) = [button for button in at.form_submit_button if button.label == "Rename"]
    checked(button.click().run())
    assert [found.name for found in list_datasets(workspace)] == ["Cats and dogs of the street"]


def test_an_empty_name_is_refused_with_a_sentence(workspace, dataset):
    at = open_data()
    (name,) = [field for field in at.text_input if field.label == "New name"]
    name.set_value("   ")
    (button,) = [button for button in at.form_submit_button if button.label == "Rename"]
    checked(button.click().run())
    assert "needs a name" in at.error[0].value
    assert [found.name for found in list_datasets(workspace)] == ["Pets"]


def test_what_is_asked_before_a_dataset_is_deleted_names_the_training_that_needs_it(workspace, dataset):
    assert "not go on without" not in texts(open_data())
    run = create_run(workspace, TrainingConfig(), dataset, "At work")
    update_run(run.path, status="running", owner=this_process())
    assert "**At work** is being trained on these images" in texts(open_data())
    update_run(run.path, status="interrupted", owner=None)
    assert "**At work** was cut off and could not go on without these images" in texts(open_data())


def test_a_dataset_is_deleted_after_asking(workspace, dataset):
    at = open_data()
    assert "**Delete Pets?**" in texts(at)
    press(at, "Keep it")
    assert list_datasets(workspace)
    press(at, "Delete it")
    assert list_datasets(workspace) == []
    assert "There are no images here yet" in texts(at)


def test_after_a_deletion_no_other_dataset_is_shown_before_it_is_asked_for(workspace, dataset):
    other = import_uploads(workspace, pictures(("ant", "bee"), each=4), "Farm")
    import_uploads(workspace, pictures(("ant", "fly"), each=4), "Garden")
    at = press(open_data(dataset=dataset.id), "Delete it")
    assert "**Pets** was deleted." in texts(at)
    assert not at.metric
    assert not [button for button in at.button if button.label == "Delete it"]
    press(at, "Farm (8 images)")
    assert at.query_params["dataset"] == other.id
    assert at.header[0].value == "Farm"
    assert "was deleted" not in texts(at)


def test_a_dataset_chosen_at_the_top_ends_the_message_of_a_deletion(workspace, dataset):
    other = import_uploads(workspace, pictures(("ant", "bee"), each=4), "Farm")
    import_uploads(workspace, pictures(("ant", "fly"), each=4), "Garden")
    at = press(open_data(dataset=dataset.id), "Delete it")
    checked(at.selectbox(key="frame-dataset").set_value(other.id).run())
    assert at.header[0].value == "Farm"
    assert "was deleted" not in texts(at)


@pytest.mark.parametrize("label", ["Ελληνικά", "日本語", "🐈", "<script>alert(1)</script>"])
def test_class_names_of_any_kind_are_shown(workspace, label):
    import_uploads(workspace, pictures((label, "dog"), each=4), "Names")
    at = open_data()
    (box,) = [box for box in at.selectbox if box.label == "Class"]
    assert label in box.options


def test_the_gallery_has_pages(workspace):
    import_uploads(
        workspace, {"many": [(f"{n}.png", picture(n, (8, 8))) for n in range(80)], **pictures(("few",), 4)}, "P"
    )
    at = open_data()
    (box,) = [box for box in at.selectbox if box.label == "Class"]
    assert box.options == ["All classes", "few", "many"]
    assert "84 images." in texts(at)
    checked(box.set_value(1).run())
    assert len(at.get("pagination")) == 1
    assert "80 images." in texts(at)


def test_images_are_selected_moved_to_another_class_and_the_move_is_undone(workspace, dataset):
    at = open_data()
    chosen = dataset.images[:2]
    for record in chosen:
        (box,) = [box for box in at.checkbox if box.label == f"Select {record.source_name}"]
        checked(box.check().run())
    assert "**2 images selected**" in texts(at)
    (box,) = [box for box in at.selectbox if box.label == "Move to class"]
    checked(box.set_value("dog").run())
    press(at, "Move")
    (moved,) = list_datasets(workspace)
    where = {record.source_name: moved.classes[record.label] for record in moved.images}
    assert {where[record.source_name] for record in chosen} == {"dog"}
    assert "Moved 2 images to dog" in texts(at)
    assert "selected" not in texts(at)
    press(at, "Undo")
    assert list_datasets(workspace)[0].images == dataset.images
    press(at, "Redo")
    assert list_datasets(workspace)[0].images == moved.images


def test_a_change_that_is_refused_is_a_sentence_and_changes_nothing(workspace, dataset):
    at = open_data()
    (split,) = [box for box in at.radio if box.label == "Part"]
    checked(split.set_value("validation").run())
    press(at, "Select all")
    press(at, "Remove")
    assert "No image would be left to validate with" in at.error[0].value
    assert list_datasets(workspace)[0].images == dataset.images


def test_a_change_that_another_tab_has_overtaken_is_refused_in_a_sentence(workspace, dataset):
    at = open_data()
    (old,) = [box for box in at.multiselect if box.label == "Classes to change"]
    checked(old.set_value(["dog"]).run())
    delete_class_elsewhere = merge_classes(workspace, dataset.id, ["dog"], "hound")
    (button,) = [button for button in at.button if (button.key or "").endswith("-delete") and "classes" in button.key]
    checked(button.click().run())
    assert "dog" in at.error[0].value
    assert list_datasets(workspace)[0].classes == delete_class_elsewhere.classes


def typed_class():
    import streamlit as st

    from ui.data_page.edits import offer_match

    offer_match(st.session_state.setdefault("class", "do"), ("cat", "dog"), "class")


def test_the_beginning_of_a_class_name_is_offered_as_that_class():
    at = checked(AppTest.from_function(typed_class).run())  # the list itself takes no new names without a browser
    assert "**do** will be a new class." in texts(at)
    press(at, "Use dog")
    assert at.session_state["class"] == "dog"
    assert not at.caption


def test_a_line_of_the_health_report_shows_the_images_it_speaks_of_and_mends_them(workspace):
    images = {
        name: [(f"{name}{n}.png", picture(100 * place + n)) for n in range(12)] for place, name in enumerate("ab")
    }
    images["a"] += [("twin.png", picture(3)), ("other.png", picture(4))]
    import_uploads(workspace, images, "Twins")
    at = open_data()
    (line,) = [button for button in at.button if "exact copies of another" in button.label]
    checked(line.click().run())
    assert "4 images." in texts(at)
    press(at, "Remove the copies")
    (single,) = list_datasets(workspace)
    assert len(single.images) == 24
    assert "Removed 2 exact copies" in texts(at)


def test_images_are_added_to_a_dataset_that_is_there(workspace, dataset):
    at = open_data()
    (box,) = [box for box in at.selectbox if box.label == "Class of the images"]
    checked(box.set_value("dog").run())
    for name, data in (("new.png", picture(900)), ("broken.png", b"no picture")):
        (field,) = [field for field in at.file_uploader if (field.key or "").startswith("added-files-")]
        field.upload(name, data)
        checked(at.run())
        run_until(at, lambda at: not at.progress)
    press(at, "Add them")
    at = run_until(at, lambda at: at.toast)
    (larger,) = list_datasets(workspace)
    told = r"1 image of dog \(without broken\.png, which could not be used\) added"
    assert [toast.value for toast in at.toast] == [
        f"{told}: **{larger.name}** now has {len(larger.images)} images in 2 classes."
    ]
    assert (larger.id, larger.revision, len(larger.images)) == (dataset.id, 2, len(dataset.images) + 1)


def test_classes_are_renamed_and_merged(workspace, dataset):
    at = open_data()
    (old,) = [box for box in at.multiselect if box.label == "Classes to change"]
    checked(old.set_value(["dog"]).run())
    (new,) = [box for box in at.text_input if box.label == "New name of the class"]
    checked(new.set_value("hound").run())
    (button,) = [button for button in at.button if (button.key or "").endswith("-do")]
    checked(button.click().run())
    assert list_datasets(workspace)[0].classes == ("cat", "hound")


def test_train_on_these_images_leads_to_the_form(dataset):
    at = press(open_data(), "Train on these images")
    assert at.title[0].value == "Train"


def start_failing_import(workspace):
    at = open_data()
    at.file_uploader(key="zip-0").upload("broken.zip", zip_of(BROKEN))
    checked(at.run())
    checked(at.button(key="import-zip").click().run())
    return wait_for_import(at, workspace)


def test_a_reloaded_page_still_tells_how_its_import_ended(workspace):
    at = start_failing_import(workspace)
    again = open_data(**{"import": at.query_params["import"]})
    assert [error.value for error in again.error] == [error.value for error in at.error]


def test_another_tab_stays_where_it_is(workspace, dataset):
    other = open_data(dataset=dataset.id)
    wait_for_import(press(open_data(), "Use surfaces"), workspace)
    checked(other.run())
    assert other.selectbox(key="frame-dataset").value == dataset.id
    assert len(other.selectbox(key="frame-dataset").options) == 2


def test_a_press_in_the_instant_in_which_an_import_ends_leads_where_the_button_said(workspace):
    shown = colour_dataset(workspace)
    at = open_data(dataset=shown.id)
    task = imports.start_import(workspace, "Another", lambda task: colour_dataset(workspace))
    run_until(at, lambda _: imports.IMPORTS.find(task).ended)
    at.query_params["import"] = task  # the tab knows of it; its page still shows the dataset before
    at = press(at, "Train on these images")
    assert at.title[0].value == "Train"
    assert shown.id in at.query_params["dataset"]


def test_files_that_come_in_two_parcels_are_both_watched_to_their_end(workspace, monkeypatch):
    """The last parcel may be taken first; then nobody but the first can tell that all are there."""
    first_may_end, begun = threading.Event(), itertools.count()

    def bring_later(*arguments):
        if next(begun) == 0:
            assert first_may_end.wait(60)
        return bring(*arguments)

    monkeypatch.setattr(piles, "bring", bring_later)
    at = open_data(way="pointing")
    for parcel in range(2):
        field = at.file_uploader(key=f"unlabelled-files-{parcel}")
        for number in range(6):
            field.upload(f"{parcel}-{number}.png", picture(6 * parcel + number))
        checked(at.run())
    collection = COLLECTIONS.list_all(workspace)[0].id
    run_until(at, lambda _: len(piles.ARRIVALS.running(collection)) == 1)
    assert len(checked(at.run()).progress) == 1, "else nothing would draw the page again"
    first_may_end.set()
    run_until(at, lambda at: not at.progress)
    assert len(COLLECTIONS.list_all(workspace)[0].pictures) == 12
