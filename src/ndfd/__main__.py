"""`python -m ndfd` is `ndfd`."""

import sys

from ndfd.cli import main

sys.exit(main())
