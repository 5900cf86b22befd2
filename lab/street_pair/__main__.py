"""`python -m lab.street_pair`."""

from lab import commands

commands.run(commands.street_pair, "lab.street_pair")
