"""Proves, measures and switches a pair of one's own; knows no pipeline.

`Migration` and `Side` are all that most pairs need. See docs/migrate_your_own.md.
"""

from bridge.migration.faults import OwnFault
from bridge.migration.mapping import Leaf
from bridge.migration.migration import Migration
from bridge.migration.proof import Proof
from bridge.migration.sides import Function, Side, Symmetry

__all__ = ["Function", "Leaf", "Migration", "OwnFault", "Proof", "Side", "Symmetry"]
