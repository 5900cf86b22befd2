"""`python -m lab.streets OUT`: generated streets."""

from lab import commands

commands.run(commands.streets, "lab.streets")
