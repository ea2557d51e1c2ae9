"""Topics are spelled in one place and taken apart in the same one."""

import pytest

from contract.topics import AGENT_WRITES, CENTRE_WRITES, AgentAddress, Leaf, parse, subscription


@pytest.mark.parametrize("leaf", list(Leaf))
def test_a_topic_says_whose_it_is(leaf: Leaf) -> None:
    address = AgentAddress("demo", "gw-01")
    assert parse(address.topic(leaf)) == (address, leaf)


def test_every_leaf_has_exactly_one_writer() -> None:
    assert set(Leaf) == AGENT_WRITES | CENTRE_WRITES
    assert not AGENT_WRITES & CENTRE_WRITES


def test_workers_share_a_subscription() -> None:
    assert subscription(Leaf.ISSUE, share="ingest") == "$share/ingest/gridwatch/1/+/+/issue"


@pytest.mark.parametrize("name", ["", "a/b", "+", "#", "a b", "x" * 65])
def test_a_name_that_could_widen_a_topic_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="topic"):
        AgentAddress("demo", name)


@pytest.mark.parametrize("topic", ["", "gridwatch/2/demo/gw/issue", "gridwatch/1/demo/gw"])
def test_a_foreign_topic_is_refused(topic: str) -> None:
    with pytest.raises(ValueError, match="gridwatch"):
        parse(topic)
