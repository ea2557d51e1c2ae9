"""The one class space of every Gridwatch detector."""

from typing import Final

CLASSES: Final = (
    "street_vendor",
    "garbage_bin",
    "bin_overflow",
    "exposed_garbage",
    "manhole_ok",
    "manhole_damaged",
    "manhole_missing",
    "person",
    "vehicle",
)
(
    STREET_VENDOR,
    GARBAGE_BIN,
    BIN_OVERFLOW,
    EXPOSED_GARBAGE,
    MANHOLE_OK,
    MANHOLE_DAMAGED,
    MANHOLE_MISSING,
    PERSON,
    VEHICLE,
) = range(len(CLASSES))
COVERS: Final = (MANHOLE_OK, MANHOLE_DAMAGED, MANHOLE_MISSING)
PROBLEMS: Final = (STREET_VENDOR, BIN_OVERFLOW, EXPOSED_GARBAGE, MANHOLE_DAMAGED, MANHOLE_MISSING)
ANY_CLASS: Final = -1

# What val is judged on: persons and vehicles are not marked everywhere in it.
VAL_CLASSES = [c for c in range(len(CLASSES)) if c not in (PERSON, VEHICLE)]
