"""Called by `oddlens watch --on-ng` for every NG image: notes the part, and switches the ejector.

    oddlens watch incoming/ --station line-3 --out results/ --move --on-ng "python eject.py LOG [OUTPUT]"

Standard input: the event as JSON. LOG, a table, gets a line for each part. OUTPUT is a file that gets "1" and, a pulse later, "0":
an output of the machine such as /sys/class/gpio/gpio17/value, or a pipe that another program reads.
"""

import csv
import json
import sys
import time
from pathlib import Path

PULSE_S = 0.2


def main() -> None:
    """One event."""
    event = json.load(sys.stdin)
    image = event.get("path") or event["source"]  # of `oddlens watch`, and of `oddlens serve`
    log = Path(sys.argv[1])
    is_new = not log.exists()
    with log.open("a", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        if is_new:
            table.writerow(["time", "image", "score"])
        table.writerow([event["time"], Path(image).name, event["score"]])
    for output in map(Path, sys.argv[2:3]):
        output.write_text("1")
        time.sleep(PULSE_S)
        output.write_text("0")


if __name__ == "__main__":
    main()
