"""Categories, their families and their names; codes of the standards are the centre's."""

from enum import StrEnum


class Family(StrEnum):
    """What stays the same for the whole life of an issue; its category may change inside it."""

    VENDOR = "vendor"
    BIN = "bin"
    GARBAGE = "garbage"
    COVER = "cover"


class Category(StrEnum):
    """What is wrong at a place."""

    STREET_VENDOR = "street_vendor"
    BIN_OVERFLOW = "bin_overflow"
    EXPOSED_GARBAGE = "exposed_garbage"
    MANHOLE_DAMAGED = "manhole_damaged"
    MANHOLE_MISSING = "manhole_missing"

    @property
    def family(self) -> Family:
        """The family this category belongs to."""
        return _FAMILY[self]

    @property
    def name_zh(self) -> str:
        """The name duty officers use."""
        return _NAMES[self][0]

    @property
    def name_en(self) -> str:
        """The English name."""
        return _NAMES[self][1]


_FAMILY = {
    Category.STREET_VENDOR: Family.VENDOR,
    Category.BIN_OVERFLOW: Family.BIN,
    Category.EXPOSED_GARBAGE: Family.GARBAGE,
    Category.MANHOLE_DAMAGED: Family.COVER,
    Category.MANHOLE_MISSING: Family.COVER,
}

_NAMES = {
    Category.STREET_VENDOR: ("占道经营", "Road-occupying vendor"),
    Category.BIN_OVERFLOW: ("垃圾箱满溢", "Overflowing bin"),
    Category.EXPOSED_GARBAGE: ("暴露垃圾", "Exposed garbage"),
    Category.MANHOLE_DAMAGED: ("井盖破损", "Damaged manhole cover"),
    Category.MANHOLE_MISSING: ("井盖缺失", "Missing manhole cover"),
}


def categories_of(family: Family) -> tuple[Category, ...]:
    """All categories of a family, in the catalogue's order."""
    return tuple(category for category in Category if category.family is family)
