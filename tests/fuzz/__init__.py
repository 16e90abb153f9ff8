"""Settings and configuration files that nobody would write, and what becomes of them.

`python -m tests.fuzz --seconds N` tries them until the time is over, and reports every
traceback and everything that hangs; `test_fuzz.py` tries a small fixed sample.
"""
