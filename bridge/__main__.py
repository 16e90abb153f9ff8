"""`python -m bridge verify|selftest|settings|bench|status|promote|rollback`."""

import sys

from bridge.cli import main

if __name__ == "__main__":
    sys.exit(main())
