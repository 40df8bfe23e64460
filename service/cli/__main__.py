"""`python -m service.cli` is `spendgate`."""

from service.cli import main

main()
