"""What a check may read of the API server: objects as JSON, and texts. A Protocol and data only.

`cluster` implements it. A refusal (403 among them) is an EnvironmentProblem and so inconclusive:
what may not be read is never taken for absent.
"""

from collections.abc import Mapping
from typing import Any, Protocol

# Objects of the API are open JSON trees of the server's making; Any stands for JSON.
Json = dict[str, Any]


class ApiReader(Protocol):
    """Reads, at the moment of the call. Every method raises EnvironmentProblem."""

    def items(self, path: str, query: Mapping[str, str] | None = None) -> list[Json]:
        """Every item of a list, such as "/api/v1/pods"; empty where the kind is not served."""
        ...

    def get(self, path: str) -> Json | None:
        """One object, or None where there is none."""
        ...

    def text(self, path: str, query: Mapping[str, str] | None = None) -> str:
        """What is no JSON object: logs, metrics, and what the API server passes on to a node."""
        ...
