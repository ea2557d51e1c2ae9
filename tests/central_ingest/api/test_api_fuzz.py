"""Every route of the API, asked what its schema allows and much that it does not: no 500."""

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

schemathesis = pytest.importorskip(
    "schemathesis", reason="needs schemathesis: pip install '.[dev]'"
)

EXAMPLES = 200 if os.environ.get("HYPOTHESIS_PROFILE") == "nightly" else 6
ENDLESS = "events"  # answers as long as the asker stays
MAY_BE_AWAY = 503


@pytest.fixture
def schema(centre: Any) -> Any:
    """The API of a centre whose asker may do everything, as its own schema describes it."""
    return schemathesis.openapi.from_asgi("/openapi.json", centre.app(hosts=["testserver"]))


@pytest.mark.filterwarnings("ignore")  # of the tool's own libraries
@pytest.mark.timeout(900)
def test_no_request_makes_the_api_fail(schema: Any) -> None:
    asked = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        if ENDLESS in operation.path:
            continue
        asked += 1

        @settings(
            max_examples=EXAMPLES, derandomize=True, database=None, deadline=None,
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(operation.as_strategy())
        def ask(case: Any) -> None:
            answer = case.call()
            assert answer.status_code < 500 or answer.status_code == MAY_BE_AWAY, (
                case.as_curl_command(), answer.text[:300],
            )  # fmt: skip

        ask()
    assert asked > 5
