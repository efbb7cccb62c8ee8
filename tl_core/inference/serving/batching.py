"""Pictures of simultaneous requests go through the network together.

Nothing waits for a batch to fill: while one is computed the next ones gather, so a lone request is answered at once
and many at a time share a pass.
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
MOST_WAITING: Final = 512  # pictures, of all requests, that may wait for their turn

_Question = tuple[Prepared, asyncio.Future[Answer]]


class Batcher:
    """One model, asked by one thread; pictures are decoded by several. Used within one event loop.

    Args:
        on_batch: told how many pictures went through the network together.
    """

    def __init__(self, predictor: Predictor, calibration: Calibration, on_batch: Callable[[int], None]) -> None:
        self._predictor, self._calibration, self._on_batch = predictor, calibration, on_batch
        self._questions: asyncio.Queue[_Question] = asyncio.Queue()
        self._decoders = ThreadPoolExecutor(os.cpu_count() or 1, "decode")
        self._network = ThreadPoolExecutor(1, "network")
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
        loop = asyncio.get_running_loop()
        while True:
            batch = [await self._questions.get()]
            while len(batch) < MOST_AT_ONCE and not self._questions.empty():
                batch.append(self._questions.get_nowait())
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
                continue
            self._on_batch(len(batch))
            for (_, future), answer in zip(batch, answers, strict=True):
                if not future.done():  # of a request that was cancelled
                    future.set_result(answer)

    def close(self) -> None:
        """End the threads."""
        self._decoders.shutdown()
        self._network.shutdown()
