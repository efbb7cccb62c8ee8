"""Pictures of simultaneous requests go through the network together.

Nothing waits for a batch to fill: while one is computed the next ones gather, so a lone request is answered at once
and many at a time share a pass. Two passes may go on side by side, each on half of the cores: a pass on all of them
stands still whenever one of them decodes a picture or reads a request.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from tl_core.inference.calibration import Calibration
from tl_core.inference.predict import Answer, Prepared, answers_to, prepare_image
from tl_core.inference.predictor import Predictor
from tl_core.inference.serving.uploads import RequestError

logger = logging.getLogger(__name__)

MOST_AT_ONCE: Final = 16  # pictures in one pass; more are no faster on a CPU and let the first ones wait
MOST_SIDE_BY_SIDE: Final = 4  # pictures in one of several passes, which are no faster with more: on one core or few
MOST_WAITING: Final = 512  # pictures, of all requests, that may wait for their turn

_Question = tuple[Prepared, asyncio.Future[Answer]]


def most_at_once(predictor: Predictor) -> int:
    """How many pictures go through its network together."""
    return MOST_AT_ONCE if predictor.at_once == 1 else MOST_SIDE_BY_SIDE


class Batcher:
    """One model, asked by as many threads as it computes calls at once; pictures are decoded by others. Used within
    one event loop.

    Args:
        on_batch: told how many pictures went through the network together.
    """

    def __init__(self, predictor: Predictor, calibration: Calibration, on_batch: Callable[[int], None]) -> None:
        self._predictor, self._calibration, self._on_batch = predictor, calibration, on_batch
        self._questions: asyncio.Queue[_Question] = asyncio.Queue()
        self._decoders = ThreadPoolExecutor(os.cpu_count() or 1, "decode")
        self._idle = predictor.at_once  # passes that could begin now
        self._most = most_at_once(predictor)
        self._ended = asyncio.Event()  # a pass
        self._network = ThreadPoolExecutor(self._idle, "network")
        self.waiting = 0  # pictures that have been accepted and not answered

    async def ask(self, files: Sequence[bytes]) -> list[Answer]:
        """Classify image files; one answer each, in their order.

        Raises:
            RequestError: too many pictures wait already.
        """
        if self.waiting + len(files) > MOST_WAITING:
            raise RequestError(
                503, f"{self.waiting:,} pictures are waiting already, so this request is not taken: try again later."
            )
        self.waiting += len(files)
        try:
            found = await asyncio.gather(*map(self._answer, files), return_exceptions=True)
        finally:
            self.waiting -= len(files)
        answers = [answer for answer in found if isinstance(answer, Answer)]
        for failure in found:
            if isinstance(failure, BaseException):
                raise failure
        return answers

    async def _answer(self, data: bytes) -> Answer:
        loop = asyncio.get_running_loop()
        read = functools.partial(prepare_image, lambda: data, self._predictor.reading)
        prepared = await loop.run_in_executor(self._decoders, read)
        answer: asyncio.Future[Answer] = loop.create_future()
        self._questions.put_nowait((prepared, answer))
        return await answer

    async def run(self) -> None:
        """Answer what is asked, until this is cancelled."""
        async with asyncio.TaskGroup() as passes:
            while True:
                batch = [await self._questions.get()]
                while not self._idle:
                    self._ended.clear()
                    await self._ended.wait()
                # What waits is shared among those that could begin, each of which is to be as short.
                most = min(self._most, -(-(1 + self._questions.qsize()) // self._idle))
                while len(batch) < most and not self._questions.empty():
                    batch.append(self._questions.get_nowait())
                self._idle -= 1
                passes.create_task(self._pass(batch))

    async def _pass(self, batch: Sequence[_Question]) -> None:
        """Let the network answer a batch."""
        loop = asyncio.get_running_loop()
        prepared = [question for question, _ in batch]
        try:
            answers = await loop.run_in_executor(
                self._network, answers_to, self._predictor, self._calibration, prepared
            )
        except Exception as error:
            logger.exception("The model could not answer")
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
        else:
            self._on_batch(len(batch))
            for (_, future), answer in zip(batch, answers, strict=True):
                if not future.done():  # of a request that was cancelled
                    future.set_result(answer)
        finally:
            self._idle += 1
            self._ended.set()

    def close(self) -> None:
        """End the threads."""
        self._decoders.shutdown()
        self._network.shutdown()
