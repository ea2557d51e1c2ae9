"""What of an address may be shown."""

import pytest

from edge_agent.addresses import is_live, redacted


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://10.0.0.5:554/ch1", "rtsp://10.0.0.5:554/ch1"),
        ("rtsp://admin:hunter2@10.0.0.5/ch1", "rtsp://10.0.0.5/ch1"),
        # unescaped '@' and '/' in a password are common in the field
        ("rtsp://admin:hun@ter/2@10.0.0.5/ch1", "rtsp://10.0.0.5/ch1"),
        ("rtsp://10.0.0.5/live?user=admin&password=hunter2", "rtsp://10.0.0.5/live"),
        ("${secret:CAM01}", "${secret:CAM01}"),
        ("/data/what?.mp4", "/data/what?.mp4"),
    ],
)
def test_a_shown_address_holds_no_password(url: str, shown: str) -> None:
    assert redacted(url) == shown


@pytest.mark.parametrize(("url", "live"), [("rtsp://a/b", True), ("clips/a.mp4", False)])
def test_a_network_address_is_live_and_a_file_is_not(url: str, live: bool) -> None:  # noqa: FBT001
    assert is_live(url) is live
