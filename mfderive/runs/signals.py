"""Signals that end a run: while it steps they are noted, so that its state is saved before it ends.

Ctrl-C (SIGINT), SIGTERM and SIGHUP (a closed terminal) are watched while somebody is within ``WATCH``. A
handler that was installed by another part of the program, and a signal that is ignored (nohup), are left
alone; so is everything outside of the main thread, where Python lets nobody install handlers.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

# The signals that a run survives, and the handlers that may be replaced by the watch.
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
_USUAL = (signal.SIG_DFL, signal.default_int_handler)
SIGNALS: tuple[signal.Signals, ...] = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))


class Terminated(SystemExit):
    """A signal other than Ctrl-C ended the run; ``code`` is 128 and the number of the signal."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.number = number

    @property
    def name(self) -> str:
        """What the signal is called: SIGTERM, SIGHUP."""
        return signal.Signals(self.number).name


class Watch:
    """Notes signals while loops are stepping, and raises at once where no loop would lose anything.

    ``signal`` is the number of the signal that asked for the end, 0 where none did. A second one ends the
    run at once.
    """

    def __init__(self) -> None:
        self.signal = 0
        self._busy = 0
        self._lock = threading.Lock()
        self._previous: dict[signal.Signals, Any] = {}
        self._depth = 0

    def __enter__(self) -> Watch:
        """Watch; within another watch, go on watching."""
        if threading.current_thread() is threading.main_thread():
            self._depth += 1
            if self._depth == 1:
                self.signal = 0
                for each in SIGNALS:
                    if signal.getsignal(each) in _USUAL:
                        self._previous[each] = signal.signal(each, self._handle)
        return self

    def __exit__(self, *error: object) -> None:
        """Give the handlers back."""
        if threading.current_thread() is threading.main_thread():
            self._depth -= 1
            if self._depth == 0:
                for each, handler in self._previous.items():
                    signal.signal(each, handler)
                self._previous.clear()
                self.signal = 0

    def busy(self, change: int) -> None:
        """One loop more (+1), or less (-1), that looks at ``signal`` after its present piece."""
        with self._lock:
            self._busy += change

    def _handle(self, number: int, frame: FrameType | None) -> None:
        again, self.signal = bool(self.signal), number
        if again or not self._busy:
            raise self.ending()

    def ending(self) -> BaseException:
        """What is raised for the signal."""
        return KeyboardInterrupt() if self.signal == signal.SIGINT else Terminated(self.signal)


WATCH = Watch()
