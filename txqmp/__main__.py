"""``python -m txqmp``."""

from txqmp.cli.main import main

main()
