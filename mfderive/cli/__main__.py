"""``python -m mfderive.cli`` is the command ``mfderive``."""

import sys

from . import main

sys.exit(main())
