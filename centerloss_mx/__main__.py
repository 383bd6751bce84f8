"""The command line as `python -m centerloss_mx`, see `centerloss_mx.cli`."""

from .cli import main

if __name__ == '__main__':
    main()
