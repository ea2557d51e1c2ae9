"""The workshop: from labelled pictures to an evaluated, carded, signed detector.

One command each, all driven by one recipe:
``python -m models.training prepare|train|export|evaluate|card --recipe FILE``.
"""
