"""The profile of a look."""

from benchmarks.anatomy import share_of_convolutions


def test_only_convolutions_count_by_any_runtimes_name_for_them() -> None:
    spent = [("Convolution", 3.0), ("FusedConv", 3.0), ("Convert", 1.0), ("Concat", 1.0)]
    assert share_of_convolutions(spent) == 75
