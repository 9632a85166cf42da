"""One line of the scorecard."""
import dataclasses
from typing import Optional


@dataclasses.dataclass
class Row:
    id: str              # of RELIABILITY section N, such as S6
    what: str
    bound: str
    seen: str            # with units; if ok is None, why it could not be tried
    ok: Optional[bool]
