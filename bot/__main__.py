"""`python -m bot`, the same as `wenqu`."""

import sys

from bot.cli import main

sys.exit(main())
