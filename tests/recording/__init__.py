"""Records every number that the program makes, to show that none changed.

    python -m tests.recording --write FILE.json
    python -m tests.recording --compare FILE.json

Only `api.py` knows the names of the program's own parts.
"""

import os

# Sums depend on the number of threads; read by the libraries when they are imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
