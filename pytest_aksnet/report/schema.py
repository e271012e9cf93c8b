"""The JSON schema of results.json, made from the dataclasses in `results`.

`python -m pytest_aksnet.report.schema` prints what is tracked as reports/results.schema.json.
Not imported in runs: pydantic costs more than a run should pay.
"""

import json
import sys

from pydantic import TypeAdapter

from pytest_aksnet.report.results import Results


def results_adapter() -> TypeAdapter[Results]:
    """Validates a results.json."""
    return TypeAdapter(Results)


def schema_text() -> str:
    """The JSON schema, as it is tracked."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "results.json of pytest-aksnet",
        **results_adapter().json_schema(mode="serialization"),
    }
    return json.dumps(schema, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema_text())
