"""Who was told to come back later, and comes back before: it waits unread until its time, unless there is room."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT

from app.server.drain import DrainingProtocol

if TYPE_CHECKING:
    import asyncio

    from app.main import State

LONGEST = 8
"""Seconds at most that a request waits unread: at ten, some clients of a crowd had given up by then."""
AGAIN = 1.0
"""Seconds after which it is asked again whether there is room for it: in 4 us, a hundredth of a refusal."""
DELAYED = b"POST /predict "
"""What waits; of health and all else nobody was told to ask later."""


class BackoffProtocol(DrainingProtocol):
    """A connection that is told by ``put_off`` when its client may come back.

    To read a request and refuse it costs a good part of an answer, and those who come back at once would take the time
    of those that were let in. What they send is kept as it is; who heeds ``Retry-After`` does not notice.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._timer: asyncio.TimerHandle | None = None  # until its time has come
        self._back, self._patience = 0.0, math.inf  # its time; the seconds that its client had when it was refused
        self._early, self._since = b"", 0.0  # what is kept, and since when
        self._came: float | None = None  # when that came which is read late, while it is read

    @property
    def _state(self) -> State:
        state: State = self.app_state  # type: ignore[assignment]  # uvicorn knows it as a dict of anything
        return state

    def put_off(self, seconds: float, patience: float) -> None:
        """Read no document for so long, since its client was told to send none.

        ``patience``: how long the one who was told so would have waited, and its next request will.
        """
        if self._timer is not None:  # a request that came in one piece with this one was told another time
            self._timer.cancel()
        rest = min(LONGEST, seconds)
        self._back, self._patience = self.loop.time() + rest, patience
        self._timer = self.loop.call_later(rest, self._read_on)

    def data_received(self, data: bytes) -> None:
        """Read on, or keep it for later."""
        if self._timer is None:
            super().data_received(data)
        elif self._early:
            self._keep(data)
        else:
            self._since = self.loop.time()
            if data.startswith(DELAYED) and not self._has_room():
                self._keep(data)
                self._ask_again()
            else:
                self._early = data
                self._read_on()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of what was kept."""
        self._early = b""
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Read what came early, so that it is told that the service stops."""
        self._read_on()
        super().shutdown()

    def timeout_keep_alive_handler(self) -> None:
        """Close the connection, unless something came meanwhile that has no answer yet."""
        if not self._early and (self.cycle is None or self.cycle.response_complete):
            super().timeout_keep_alive_handler()

    def _keep(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        self._early += data
        if len(self._early) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()  # else it is noticed when the client leaves

    def _has_room(self) -> bool:
        waited = self.loop.time() - self._since
        left = min(self._patience, self._state["settings"].timeout) - waited
        return self._state["service"].batcher.has_room(left)

    def _ask_again(self) -> None:
        """Look whether there is room, again and again until its time has come."""
        rest = self._back - self.loop.time()
        if rest <= 0 or self._has_room():
            self._read_on()
        else:
            assert self._timer is not None
            self._timer.cancel()
            self._timer = self.loop.call_later(min(AGAIN, rest), self._ask_again)

    def _read_on(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        early, self._early = self._early, b""
        if early and not self.transport.is_closing():
            self._came = self._since
            self.flow.resume_reading()
            super().data_received(early)
            self._came = None
