"""What Erlang/OTP 25 did, Canopy does."""

import pytest

from tests.otp.conftest import FILE
from tests.otp.replay import Scenario, replay


def test_scenario_ends_as_in_otp(
    file: str, scenario: Scenario, seed: int | None, request: pytest.FixtureRequest
) -> None:
    request.node.user_properties.append((FILE, file))
    difference = replay(scenario, seed)
    if difference is not None:
        pytest.fail(str(difference), pytrace=False)
