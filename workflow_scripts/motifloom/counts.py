"""What was read, dropped and made on the way to a store: the lines of a qc.tsv."""

import logging
from dataclasses import dataclass, field

import pandas as pd

log = logging.getLogger(__name__)


@dataclass
class Counts:
    """The lines of a dataset's qc.tsv, in the order in which they came up."""

    lines: list[tuple[str, int, str]] = field(default_factory=list)

    def add(self, stage: str, count: int, note: str = "") -> None:
        """Note how many examples a stage read, dropped or made, in the job's log too."""
        self.lines.append((stage, int(count), note))
        log.info("%s: %d%s", stage, count, f" ({note})" if note else "")

    def frame(self) -> pd.DataFrame:
        """Columns stage, count, note."""
        return pd.DataFrame(self.lines, columns=["stage", "count", "note"])

    def drops(self) -> str:
        """The drops that happened, for an error message: "12 in an excluded region, ..."."""
        prefix = "dropped: "
        found = [
            f"{count} {stage.removeprefix(prefix)}"
            for stage, count, _ in self.lines
            if count and stage.startswith(prefix)
        ]
        return ", ".join(found) or "none dropped"
