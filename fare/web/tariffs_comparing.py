"""Comparisons of a draft with the tariff in force on real rides: one at a time, beside the requests.

A comparison prices thousands of rides twice, too long for a request. What it found is kept with the draft;
how far it is, is known to this process alone and may be lost with it: then it is asked for again.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from fare.core.errors import OperatorError
from fare.database.engine import read, write
from fare.distribution import current_tariff
from fare.tariffs.drafts import draft, keep_comparison
from fare.tariffs.effects import effect_on
from fare.tariffs.publishing import with_network
from fare.tariffs.real_taps import cases_from_register
from fare.web.console import Console

MOST_DAYS: Final = 366


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a comparison is, in riders. `problem`: it ended without a result, and why."""

    done: int = 0
    riders: int = 0
    problem: str | None = None


class Comparisons:
    """The comparison that runs, and how the last ones ended."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lock = threading.Lock()
        self._running: str | None = None
        self._progress: dict[str, Progress] = {}

    def start(self, draft_id: str, days: int) -> bool:
        """Begin one; False while another one runs."""
        with self._lock:
            if self._running is not None:
                return False
            self._running = draft_id
            self._progress[draft_id] = Progress()
        threading.Thread(target=self._run, args=(draft_id, days), daemon=True).start()
        return True

    def progress(self, draft_id: str) -> Progress | None:
        """How far it is, or why it ended without a result; None for one that does not run."""
        with self._lock:
            found = self._progress.get(draft_id)
            return found if found is not None and (draft_id == self._running or found.problem) else None

    def _run(self, draft_id: str, days: int) -> None:
        problem: str | None = "The comparison failed: the ledger's log says why."
        try:
            self._compare(draft_id, days)
            problem = None
        except OperatorError as fault:
            problem = str(fault)
        finally:
            with self._lock:
                self._running = None
                self._progress[draft_id] = Progress(problem=problem)

    def _compare(self, draft_id: str, days: int) -> None:
        console = self._console
        now, today = console.clock(), console.today()
        with read(console.engine) as session:
            found = draft(session, draft_id)
            if found is None or found.tariff is None:
                raise OperatorError("The draft is gone, or has faults: upload it anew.")
            new = with_network(session, found.tariff)
            old = with_network(session, current_tariff(session, now))
            real = cases_from_register(session, new, today - timedelta(days=days - 1), today)
        if not real.cases:
            raise OperatorError("There were no proven rides on these days: choose more days.")

        def heard(done: int, riders: int) -> None:
            with self._lock:
                self._progress[draft_id] = Progress(done, riders)

        effect = effect_on(old, new, real, heard)
        with write(console.engine) as session:
            keep_comparison(session, draft_id, effect.encode(), console.clock())
