"""A closed tab that is forgotten leaves nothing in memory, whatever still refers to it."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

from streamlit import runtime

from ui.shell import session_gc

SECONDS = 10


class Session:
    """As much of Streamlit's session of a tab as is asked for."""

    def __init__(self, ended: asyncio.Event) -> None:
        self._ended = ended
        self.session_state = {"upload": bytes(1000)}

    def shutdown(self) -> None:
        self._ended.set()


def test_a_forgotten_tab_is_shut_down_and_its_state_emptied(monkeypatch):
    async def forget() -> Session:
        ended = asyncio.Event()
        session, expired = Session(ended), [[], [("some tab", SimpleNamespace(session=None))]]
        expired[1][0][1].session = session
        cache = SimpleNamespace(expire=lambda: expired.pop() if expired else [])
        server = SimpleNamespace(
            _get_async_objs=lambda: SimpleNamespace(eventloop=asyncio.get_running_loop()),
            _session_mgr=SimpleNamespace(_session_storage=SimpleNamespace(_cache=cache)),
        )
        monkeypatch.setattr(runtime, "exists", lambda: True)
        monkeypatch.setattr(runtime, "get_instance", lambda: server)
        session_gc.forget_closed_tabs.__wrapped__()
        await asyncio.wait_for(ended.wait(), SECONDS)
        return session

    with ThreadPoolExecutor(1) as pool:  # this thread may have a loop: that of a browser's tests
        assert pool.submit(asyncio.run, forget()).result().session_state == {}
