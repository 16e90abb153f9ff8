"""The entry point: `python run.py --config-name=burgers.yaml [key=value ...]`.

What an installed package calls `hyco`.
"""

from hyco.run import main

if __name__ == "__main__":
    main()
