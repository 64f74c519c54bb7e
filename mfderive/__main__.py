"""``python -m mfderive`` is the command ``mfderive``."""

import sys

from .cli import main

sys.exit(main())
