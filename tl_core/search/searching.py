"""One search from its start to the finished run: which features the time allows, trials on them, and the winner."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tl_core.config import TrainingConfig
from tl_core.data import Dataset
from tl_core.errors import NotEnoughDataError, StoppedError, TransferLearningError
from tl_core.jobs.runners.ray_cluster import cluster_address
from tl_core.runs import EventLog, RunFolder, list_runs, read_events
from tl_core.runs.heartbeat import Heartbeat
from tl_core.runs.store import UNEXPECTED, now, this_process
from tl_core.search.ensembles import Answers
from tl_core.search.heads import Features
from tl_core.search.history import Trial
from tl_core.search.pools.cluster import ClusterPool
from tl_core.search.pools.threads import ThreadPool
from tl_core.search.record import TRIALS_SHARE, Search, list_searches, load_search, update_search
from tl_core.search.sources.downloads import Downloads, usable_sources
from tl_core.search.sources.features import load_features
from tl_core.search.space import (
    OTHERS,
    QUICK_START,
    SOURCE,
    SOURCES,
    Dimension,
    Source,
    dimensions,
    fits,
    quick_start_params,
)
from tl_core.search.trainings import TUNINGS, measure_training, recipes, tuned
from tl_core.search.trials import TrialLoop, held_out_images
from tl_core.search.winner import Pace, finish_search, seconds_to_finish
from tl_core.storage.workspace import Workspace
from tl_core.training.callbacks.event_log import EventLogger

logger = logging.getLogger(__name__)

FEATURES_SHARE: Final = 0.4  # of the time, that running the backbones may take
RECIPES_SHARE: Final = 0.5  # of the time, that the published recipes may take together
TUNED_FROM: Final = 180.0  # seconds of a search, from which the leader is fine-tuned at its end
HEADS_SHARE: Final = 0.6  # of the time, after which no more heads are tried where the leader is then fine-tuned
FEWEST: Final = 3  # trials of one process, however little time there is
UNBALANCED: Final = 1.5  # times the images of the smallest class in the largest, from which classes may be weighed
STOPPED: Final = "Stopped before anything was measured, so there is nothing to keep."
_LOOK_EVERY: Final = 3.0  # seconds between two looks for a training at work
_TYPICAL: Final = 0.008  # seconds of one image through the first backbone, at least: some may have been kept already
_MEMORY: Final = 2 << 30  # bytes of features held at once
_LEAST_SHARE: Final = 0.5  # of the time, in which heads are tried however long the winner takes
_LOOK_AFTER: Final = 8  # trials, after which it is estimated anew how long the winner takes


def pace_of(events: Sequence[Mapping[str, Any]], seconds: float, images: int) -> Pace:
    """Seconds of one image in the pass that ended last, and of all that came before its first images.

    Building and compiling a backbone takes as long for few images as for many, so it has to be told apart.

    Args:
        events: of the search.
        seconds: that the pass took, with what came before it.
        images: that were looked at; of some the features may have been kept already.
    """
    told: list[tuple[float, int]] = []
    for event in events:
        if event["kind"] == "phase":
            told = []
        elif event["kind"] == "progress" and event["done"] > 0:
            told.append((event["t"], event["done"]))
    (began, first), (ended, last) = (told[0], told[-1]) if told else ((0.0, 0), (0.0, 0))
    if last == first:
        return Pace(max(seconds / images, _TYPICAL), 0.0)
    pace = max((ended - began) / (last - first), _TYPICAL)
    return Pace(pace, max(0.0, seconds - pace * images))


class StopRequest:
    """Asks a search to stop; once that was noticed, the next request stops the training of the winner.

    Args:
        is_set: whether there is a request.
        clear: withdraws it.
    """

    def __init__(self, is_set: Callable[[], bool] = lambda: False, clear: Callable[[], None] = lambda: None) -> None:
        self._is_set, self.clear = is_set, clear

    def __call__(self) -> bool:
        return self._is_set()


def run_search(search: Search, stop: StopRequest | None = None, said: Callable[[str], None] = logger.info) -> Search:
    """Search, or go on with a search, and train the winner; whatever happens, the record says how it ended.

    Args:
        search: from `tl_core.search.record.create_search` or `prepare_to_go_on`.
        stop: looked at all the time; after a request no more is tried, and the best so far is trained.
        said: told in a sentence what happens.

    Raises:
        StoppedError: stopped before anything was measured.
        TransferLearningError: the search cannot go on; its sentence is in the record, too.
    """
    update_search(search.path, status="running", owner=this_process(), error=None, finished=None)
    with EventLog(search.events_file) as events:
        try:
            return _Searching(load_search(search.path), events, stop or StopRequest(), said).run()
        except StoppedError:
            update_search(search.path, status="stopped", finished=now())
            raise
        except Exception as error:
            text = str(error) if isinstance(error, TransferLearningError) else UNEXPECTED
            logger.exception("The search %s ended with an error", search.id)
            update_search(search.path, status="failed", finished=now(), error=text)
            raise


@dataclass
class _Clock:
    """The time that a search has taken, without the time that it waited for trainings."""

    before: float  # seconds, of earlier processes
    began: float = field(default_factory=time.monotonic)
    waited: float = 0.0

    def elapsed(self) -> float:
        return self.before + time.monotonic() - self.began - self.waited


class _Searching:
    def __init__(self, search: Search, events: EventLog, stop: StopRequest, said: Callable[[str], None]) -> None:
        self._search, self._events, self._stop, self._said = search, events, stop, said
        known = read_events(search.events_file)
        self._trials = [Trial.from_event(event) for event in known if event["kind"] == "trial"]
        self._clock = _Clock(max((trial.elapsed for trial in self._trials), default=0.0))
        self._seconds = 60 * search.minutes
        self._log = EventLogger(events, Heartbeat(RunFolder(search.path)))
        self._features: dict[str, Features] = {}
        self._took: dict[str, float] = {}  # seconds of each pass, by the name of its source
        self._looked = 0.0
        self._dataset: Dataset
        self._loop: TrialLoop | None = None
        address = cluster_address()
        self._pool = ThreadPool() if address is None else ClusterPool(address)
        self._known = len(self._trials)  # of earlier processes
        self._tried_before = {trial.params.get(SOURCE) for trial in self._trials}
        self._among: list[Source] = []  # the sources among which heads are tried
        self._downloads = Downloads(search.workspace)
        self._arriving = ""  # what was told last of a download
        self._pace = Pace(_TYPICAL, 0.0)
        self._finishing = (-_LOOK_AFTER, 0.0)  # trials and seconds, of the estimate of how long the winner takes

    def run(self) -> Search:
        self._dataset = self._search.dataset()
        smallest = min(of["train"] + of["validation"] for of in self._dataset.counts().values())
        if smallest < 2:
            raise NotEnoughDataError(
                f"A search needs at least 2 images of each class for training and validation. The smallest class of "
                f"“{self._dataset.name}” has {smallest}: bring more."
            )
        stopped = False
        try:
            self._try()
        except StoppedError:
            if self._loop is None or not self._loop.complete:
                raise
            stopped = True
            self._stop.clear()
        finally:
            self._downloads.close()
        assert self._loop is not None  # noqa: S101  # it has been begun
        return finish_search(
            self._search, self._loop, self._features, self._events, self._stop, self._said, stopped=stopped
        )

    def _try(self) -> None:
        """Measure trials until the time is over."""
        began = time.monotonic()
        self._load(SOURCES[0])
        sources = self._plan(time.monotonic() - began)
        self._downloads.begin(sources)
        self._among = [source for source in sources if source is SOURCES[0] or source.name in self._tried_before]
        loop = self._loop = self._begin_loop()
        loop.try_first(loop.quick_start)
        if isinstance(self._pool, ClusterPool):
            self._pool.prepare(self._search.path, [one for one in sources[1:] if not self._downloads.at_work(one)])
        self._run_while(loop, lambda: loop.waiting > 0)  # the line to beat comes first
        for source in sources:
            loop = self._loop = self._try_source(source, loop)
        if self._search.recipes:
            self._try_recipes(loop)
        share = HEADS_SHARE if self._seconds >= TUNED_FROM else TRIALS_SHARE
        self._run_while(loop, lambda: self._goes_on(loop, share))
        self._fine_tune(loop)
        self._run_while(loop, lambda: self._goes_on(loop))  # where there was no time to fine-tune

    def _try_source(self, source: Source, loop: TrialLoop) -> TrialLoop:
        """A few heads on a source, which then is among the choices; one that cannot be had is left out."""
        self._run_while(loop, lambda: self._downloads.at_work(source) and self._goes_on(loop, FEATURES_SHARE))
        if source in self._among:
            self._load(source)
        elif self._goes_on(loop) and self._comes(source):
            self._among.append(source)
            loop = loop.widened(self._choices())
        else:
            return loop
        loop.try_source(source, self._features[source.name])
        self._run_while(loop, lambda: loop.waiting > 0 and self._goes_on(loop))
        return loop

    def _comes(self, source: Source) -> bool:
        """Load a source that the search can do without."""
        try:
            self._downloads.require(source)
            self._load(source)
        except StoppedError:
            raise
        except TransferLearningError as error:
            self._said(str(error))
            self._events.write("left_out", title=source.title, why=str(error))
            return False
        return True

    def _try_recipes(self, loop: TrialLoop) -> None:
        """Each published recipe as a trial, ended where it takes more than its part of the time."""
        known = {trial.title for trial in loop.trials}
        found = [recipe for recipe in recipes(len(self._dataset.classes)) if recipe[0] not in known]
        for title, config in found:
            self._try_training(loop, title, config, RECIPES_SHARE * self._seconds / len(found))

    def _fine_tune(self, loop: TrialLoop) -> None:
        """The leading head with layers of its backbone trained, too, as long as there is time for it."""
        leader = next(trial for trial in loop.complete if trial.config is None)
        known = {trial.title for trial in loop.trials}
        for tuning in TUNINGS:
            # A run of it takes as long as one of its folds once more.
            left = (self._ends(loop) - self._clock.elapsed()) * len(loop.masks) / (len(loop.masks) + 1)
            title = f"{leader.source.title}, {tuning.title}"
            if self._seconds < TUNED_FROM or left <= self._took.get(leader.source.name, 0.0) or title in known:
                continue  # it begins with a pass of its own over the images
            if not self._try_training(loop, title, tuned(leader.settings(self._search.seed), tuning), left):
                break  # the others take as long

    def _try_training(self, loop: TrialLoop, title: str, config: TrainingConfig, seconds: float) -> bool:
        """Measure a whole training; returns whether it came to its end. One that cannot be trained is left out."""
        self._stop_if_asked()
        self._said(f"Trying: {title}")
        self._events.write("phase", text=f"Trying: {title}")
        began, workspace = time.monotonic(), self._search.workspace
        try:
            found = measure_training(config, self._dataset, loop.masks, workspace, self._log, self._stop, seconds)
        except StoppedError:
            raise
        except TransferLearningError as error:
            self._events.write("left_out", title=title, why=str(error))
            return False
        if found is None:
            self._events.write("left_out", title=title, why="There was not enough time for its first epoch.")
            return False
        seconds = time.monotonic() - began
        loop.add_training(title, config, found.outcome, seconds, whole=found.complete)
        return found.complete

    def _choices(self) -> tuple[Dimension, ...]:
        images = [of["train"] for of in self._dataset.counts().values()]
        return dimensions(self._among, unbalanced=max(images) > UNBALANCED * max(1, min(images)))

    def _begin_loop(self) -> TrialLoop:
        found = self._choices()
        return TrialLoop(
            found=found,
            quick_start=quick_start_params(found),
            masks=held_out_images(self._features[SOURCES[0].name], self._search.seed),
            labels=self._features[SOURCES[0].name].labels,
            answers=Answers(self._search.path / "answers"),
            seconds=self._seconds,
            seed=self._search.seed,
            small=self._search.goal == "balanced",
            elapsed=self._clock.elapsed,
            done=lambda trial: self._events.write("trial", **trial.to_event()),
            trials=[trial for trial in self._trials if trial.config is not None or fits(trial.params, found)],
        )

    def _run_while(self, loop: TrialLoop, goes_on: Callable[[], bool]) -> None:
        """Measure trials, as many at once as this machine or the cluster holds."""
        self._pool.run(loop, self._features, goes_on, self._stop_if_asked)

    def _plan(self, seconds: float) -> list[Source]:
        """The sources that the time allows, by what the first one took; those of earlier trials are among them."""
        changed = len(self._dataset.of_split("train"))
        images = len(self._features[SOURCES[0].name].labels)
        pace = self._pace = pace_of(read_events(self._search.events_file), seconds, images)
        before = self._clock.before  # of minutes that were added, the same share is for more backbones
        left = FEATURES_SHARE * (self._seconds - before) - (self._clock.elapsed() - before)
        size = self._features[SOURCES[0].name].views.nbytes
        usable = set(usable_sources(self._search.workspace, downloads=self._search.downloads))
        chosen, held = [SOURCES[0]], size
        for source in (*SOURCES[1:], *OTHERS):
            passes = source.cost * (images + changed * source.random_views)
            expected = (pace.building + pace.image * passes) / self._pool.nodes
            room = held + size * (1 + source.random_views)
            fits_in = source in usable and expected <= left and room <= _MEMORY
            if source.name in self._tried_before or fits_in:
                chosen.append(source)
                left, held = left - expected, room
        self._events.write("plan", sources=[source.name for source in chosen], seconds=self._seconds)
        return chosen

    def _load(self, source: Source) -> None:
        if source.name in self._features:
            return
        self._stop_if_asked()
        began = time.monotonic()
        self._said(f"Running {source.title} over the images")
        if isinstance(self._pool, ClusterPool):
            self._pool.wait_for(source, self._stop_if_asked)
        plain = self._features.get(Source(source.backbone, source.image_size).name)
        self._features[source.name] = load_features(
            source.apply(QUICK_START),
            self._dataset,
            self._search.workspace,
            self._log,
            self._stop,
            plain if source.random_views else None,
        )
        self._took[source.name] = time.monotonic() - began
        self._events.write("source", name=source.name, title=source.title, seconds=self._took[source.name])

    def _goes_on(self, loop: TrialLoop, share: float = TRIALS_SHARE) -> bool:
        """Whether there is time for another trial; a few are measured however little there is."""
        ends = min(share * self._seconds, self._ends(loop))
        return len(loop.trials) - self._known < FEWEST or self._clock.elapsed() < ends

    def _ends(self, loop: TrialLoop) -> float:
        """Seconds of the search after which nothing more is tried, so that its winner is a run when its time is over.

        Only as far as that leaves time for the trials: of thousands of test images the winner may take longer.
        """
        trials, _ = self._finishing
        if loop.complete and len(loop.trials) >= trials + _LOOK_AFTER:
            numbers = loop.ensemble(loop.complete[0])
            members = [trial for trial in loop.trials if trial.number in numbers]
            validation, test = (len(self._dataset.of_split(name)) for name in ("validation", "test"))
            seconds = seconds_to_finish(members, self._pace, validation, test, len(loop.masks))
            self._finishing = len(loop.trials), seconds
        left = self._seconds - self._finishing[1]
        return max(_LEAST_SHARE * self._seconds, min(TRIALS_SHARE * self._seconds, left))

    def _stop_if_asked(self) -> None:
        """Raise where a stop was requested; wait while a training is at work, which comes first.

        Raises:
            StoppedError: a stop was requested.
        """
        self._tell_of_downloads()
        waited = False
        while True:
            if self._stop():
                raise StoppedError(STOPPED)
            if time.monotonic() - self._looked < _LOOK_EVERY or not self._others_work():
                break
            if not waited:
                self._events.write("phase", text="Waiting until the training at work has ended")
                waited = True
            began = time.monotonic()
            time.sleep(_LOOK_EVERY)
            self._clock.waited += time.monotonic() - began
        if waited:
            self._events.write("phase", text="Going on")

    def _tell_of_downloads(self) -> None:
        at = self._downloads.arriving
        text = f"Downloading {at.title}: {at.done / 1e6:.0f} of {at.total / 1e6:.0f} MB" if at is not None else ""
        if text != self._arriving:
            self._arriving = text
            self._events.write("download", text=text)

    def _others_work(self) -> bool:
        """Whether a training, or a search that was begun before this one, is at work in another process."""
        self._looked = time.monotonic()
        root, mine = Workspace(self._search.workspace.root), this_process()
        if any(run.status == "running" and run.owner != mine for run in list_runs(root)):
            return True
        earlier = (other for other in list_searches(root) if other.created < self._search.created)
        return any(other.status == "running" and other.owner != mine for other in earlier)
