#!/usr/bin/env python3
"""Everything by one command, with nothing but Python: `python3 run.py` serves, `python3 run.py test` tests.

This file must parse on any Python, however old, so that it can say which one is needed.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036  whoever reads this runs an older one
    sys.exit(
        "Python 3.11 or newer is needed, and this is Python %d.%d: run this file with a newer one."  # noqa: UP031
        % (sys.version_info[0], sys.version_info[1])
    )

if sys.platform == "win32":
    sys.exit("This runs on Linux and macOS: on Windows use the Windows Subsystem for Linux.")

from telehealth.embedded.bootstrap import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
