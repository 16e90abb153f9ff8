"""What the sides cost: cases, what measures them, reports, and asv's history."""

from benchmarks.asv.engine import use_engine_of_this_checkout

use_engine_of_this_checkout()
