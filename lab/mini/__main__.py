"""`python -m lab.mini`."""

from lab import commands

commands.run(commands.mini, "lab.mini")
