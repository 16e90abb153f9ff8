"""What measures: the machine, the installed code, memory, processes.

The engine that times and compares lies in `bridge.harness.bench_*`.
"""
