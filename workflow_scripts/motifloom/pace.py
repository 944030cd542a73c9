"""How fast a training goes and when it will end: a bar on a terminal, sparse lines in a log."""

import logging
import time

from tqdm import tqdm

log = logging.getLogger(__name__)

_LOG_SECONDS = 60.0


class Pace:
    """Counts updates and examples of a training of `updates`, `done` of which lie behind it."""

    def __init__(self, updates: int, done: int, label: str):
        self.updates, self.label = updates, label
        self.first, self.done = done, done
        self.examples = 0
        self.begun = self.said = time.monotonic()
        self.bar = tqdm(total=updates, initial=done, desc=label, unit="update", disable=None)

    def __enter__(self) -> "Pace":
        return self

    def __exit__(self, *_) -> None:
        self.bar.close()

    def step(self, examples: int) -> None:
        """Note one update on `examples`; a line in the log where the last is a minute old."""
        self.done += 1
        self.examples += examples
        self.bar.update()
        if not self.bar.disable:
            self.bar.set_postfix_str(self._rate(), refresh=False)
        if time.monotonic() - self.said >= _LOG_SECONDS:
            log.info("%s: update %d of %d, %s", self.label, self.done, self.updates, self._pace())

    def look(self, epoch: int, epochs: int, train_loss: float, validation_loss: float) -> None:
        """A line about an epoch that has been looked at."""
        log.info(
            "%s epoch %d/%d: train loss %.4f, validation loss %.4f; %s",
            self.label, epoch, epochs, train_loss, validation_loss, self._pace(),
        )  # fmt: skip

    def _rate(self) -> str:
        return f"{self.examples / max(time.monotonic() - self.begun, 1e-9):,.0f} examples/s"

    def _pace(self) -> str:
        self.said = time.monotonic()
        left = (
            (self.updates - self.done) * (self.said - self.begun) / max(self.done - self.first, 1)
        )
        end = time.strftime("%H:%M", time.localtime(time.time() + left))
        return f"{self._rate()}, ends about {end}"
