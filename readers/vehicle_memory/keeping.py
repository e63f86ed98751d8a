"""The thread that keeps a door in step with what its vehicle shares. No tap waits for a lost gateway."""

from __future__ import annotations

import threading
from typing import Final

from readers.vehicle_memory.port import SharedRides

LOOK_EVERY_S: Final = 1.0


class GatewayThread:
    """Calls `step` at its own pace. It decides nothing and holds no state of its own."""

    def __init__(self, shared: SharedRides) -> None:
        self._shared = shared
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gateway", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, and let go of the gateway."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)
        self._shared.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._shared.step()
            self._stopping.wait(LOOK_EVERY_S)
