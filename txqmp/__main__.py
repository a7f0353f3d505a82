"""``python -m txqmp``."""

from txqmp.cli.start import main

main()
