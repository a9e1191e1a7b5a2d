"""Who was told to come back later, and comes back before: it waits unread until its time, unless there is room."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT

from app.drain import PatientProtocol

if TYPE_CHECKING:
    import asyncio

    from app.main import State

LONGEST = 8
"""Seconds at most that a request waits unread: at ten, some clients of a crowd had given up by then."""
DELAYED = b"POST /predict "
"""What waits; of health and all else nobody was told to ask later."""


class BackoffProtocol(PatientProtocol):
    """A connection that is told by ``put_off`` when its client may come back.

    To read a request and refuse it costs a good part of an answer, and those who come back at once would take the time
    of those that were let in. What they send is kept as it is; who heeds ``Retry-After`` does not notice.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._back: asyncio.TimerHandle | None = None  # where it was told a time that has not come
        self._early = b""
        self._came: float | None = None  # when what is read late came, by the loop's clock

    @property
    def _state(self) -> State:
        state: State = self.app_state  # type: ignore[assignment]  # uvicorn knows it as a dict of anything
        return state

    def put_off(self, seconds: float) -> None:
        """Read no document for so long, since its client was told to send none."""
        if self._back is not None:  # a request that came in one piece with this one was told another time
            self._back.cancel()
        self._back = self.loop.call_later(min(LONGEST, seconds), self._read_on)

    def data_received(self, data: bytes) -> None:
        """Read on, or keep it for later."""
        if self._back is None:
            super().data_received(data)
        elif self._early or (data.startswith(DELAYED) and not self._state["service"].batcher.has_room):
            self._unset_keepalive_if_required()
            self._early += data
            self._came = self._came or self.loop.time()
            if len(self._early) > HIGH_WATER_LIMIT:
                self.flow.pause_reading()  # else it is noticed when the client leaves
        else:
            self._early = data
            self._read_on()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of what was kept."""
        self._early = b""
        if self._back is not None:
            self._back.cancel()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Read what came early, so that it is told that the service stops."""
        self._read_on()
        super().shutdown()

    def _read_on(self) -> None:
        if self._back is not None:
            self._back.cancel()
            self._back = None
        early, self._early = self._early, b""
        if early and not self.transport.is_closing():
            self.flow.resume_reading()
            super().data_received(early)
        self._came = None
