"""MLflow: a run with what made the results, figures, the table and the report; and a station as a model.

The model is of the flavour `python_function`: MLflow loads it with `oddlens.inference.tools.mlflow_model`, and nothing is pickled.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from urllib.parse import urlsplit

from oddlens import __version__
from oddlens.errors import OddlensError, UsageError, first_line, needs_package, printable
from oddlens.inference.kept_images import KeptResults
from oddlens.inference.records import count_verdicts
from oddlens.inference.sinks import COLUMNS, table_row
from oddlens.inference.tools.tool import Advance, Given, Place
from oddlens.io.addresses import shown_address
from oddlens.io.atomic import unwritable
from oddlens.io.paths import in_utf8, is_file, why_no_folder

_LOADER = "oddlens.inference.tools.mlflow_model"
_LONGEST_VALUE = 500
"""Letters of a parameter that every version of MLflow takes."""
_TRIES = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
"""How often MLflow asks a server again, unless its user says it: its own seven times last four minutes where nobody answers."""


@dataclass(frozen=True)
class MLflow:
    """See `Tool`. The place is an address of MLflow (http, https, sqlite, ...), or a folder for a database and files of its own.

    experiment: its name; it is made where there is none. name: of the run; None: MLflow makes one up. station: becomes the run's
    model; None: there is none.
    """

    experiment: str = "oddlens"
    name: str | None = None
    station: Path | None = None

    def give(self, results: KeptResults, to: Place, advance: Advance) -> Given:
        """See `Tool`. A run that cannot be written whole is marked as failed."""
        from oddlens.loading import open_station
        from oddlens.station import read_station, write_station

        if self.station is not None:
            runtime = open_station(self.station, "cpu").identity.machine["runtime"]
            state = read_station(self.station)
        with started_run(to, self.experiment, self.name) as run, tempfile.TemporaryDirectory(prefix="oddlens-") as work:
            import mlflow

            mlflow.log_params(_params(results.run))
            mlflow.log_metrics(_figures(results))
            mlflow.set_tag("oddlens.results", in_utf8(str(results.root.absolute())))
            rows = [table_row(record) for record in results.records]
            mlflow.log_table({name: [_cell(row.get(name)) for row in rows] for name in COLUMNS}, "table.json")
            log_files(results.root, "report.html", "results.jsonl", "results.csv", "run.json")
            if self.station is not None:
                place = Path(work) / "station"
                write_station(state, place, verb="copy", what=f"copied from {self.station.absolute().name}")
                _log_model(place, "oddlens" if runtime == "onnx" else "oddlens[torch]")
            advance("images", len(rows), len(rows))
        said = () if self.station is None else (f"the model is runs:/{run}/station",)
        return Given(f"run {run} of {printable(self.experiment)}", len(rows), said)


def log_files(folder: Path, *names: str) -> None:
    """Add files of a folder to the run that is going on, as far as they are there."""
    import mlflow

    for name in names:
        if is_file(folder / name):
            mlflow.log_artifact(str(folder / name))


def _address(place: str) -> tuple[str, str | None]:
    """Where MLflow keeps runs, and where it keeps files: for a folder a database in it, and a folder beside that."""
    if "://" in place or place.startswith("file:"):
        return place, None
    folder = Path(place).absolute()
    if reason := why_no_folder(folder):
        raise UsageError(f"{printable(place)} {reason}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from error
    return f"sqlite:///{(folder / 'mlflow.db').as_posix()}", (folder / "artifacts").as_uri()


def _params(run: Mapping[str, object]) -> dict[str, str]:
    """What made the results, each entry a parameter; those of the recipe as "recipe.image_size"."""
    params: dict[str, str] = {}
    for name, value in run.items():
        if isinstance(value, dict):
            params |= {f"{name}.{key}": _text(inner) for key, inner in value.items() if inner is not None}
        elif value is not None:
            params[name] = _text(value)
    return params


def _text(value: object) -> str:
    return (in_utf8(value) if isinstance(value, str) else json.dumps(value))[:_LONGEST_VALUE]


def _cell(value: object) -> object:
    return in_utf8(value) if isinstance(value, str) else value


def _figures(results: KeptResults) -> dict[str, float]:
    """How many verdicts there are of each kind, the scores in short, the thresholds, and the time for an image in milliseconds."""
    counts = count_verdicts(results.records)
    figures: dict[str, float] = {"images": len(results.records)}
    figures |= {kind: counts.get(kind, 0) for kind in ("ok", "review", "ng", "failed")}
    if counts.get("none"):
        figures["without_verdict"] = counts["none"]
    scored = [record for record in results.records if "error" not in record]
    if scores := [float(record["score"]) for record in scored]:
        figures |= {"score_mean": fmean(scores), "score_median": median(scores), "score_max": max(scores)}
        last = scored[-1]
        thresholds = {
            "threshold": last.get("threshold"),
            "pixel_threshold": last.get("pixel_threshold"),
            "review_threshold": last.get("review_threshold"),
        }
        figures |= {name: value for name, value in thresholds.items() if value is not None}
    if times := [float(record["ms"]) for record in scored if "ms" in record]:
        figures["ms_median"] = median(times)
    return figures


def _log_model(station: Path, package: str) -> None:
    import mlflow
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema

    inputs = Schema(
        [ColSpec(DataType.string, "path", required=False), ColSpec(DataType.binary, "content", required=False)]
    )
    outputs = Schema(
        [
            ColSpec(DataType.string, "path"),
            ColSpec(DataType.string, "verdict", required=False),
            ColSpec(DataType.double, "score", required=False),
            ColSpec(DataType.double, "p_value", required=False),
            ColSpec(DataType.string, "regions", required=False),
            ColSpec(DataType.string, "error", required=False),
        ]
    )
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", UserWarning
        )  # that there is no example of an input: it would be judged, and kept
        mlflow.pyfunc.log_model(
            name="station",
            loader_module=_LOADER,
            data_path=str(station),
            signature=ModelSignature(inputs, outputs),
            pip_requirements=[f"{package}=={__version__}"],
        )


def _shown(address: str) -> str:
    """An address without a password; that of a file has no host, and no password."""
    return shown_address(address) if urlsplit(address).hostname else printable(address)


@contextmanager
def started_run(to: Place, experiment: str, name: str | None) -> Iterator[str]:
    """A run of MLflow for the time of the block, failed where that raises; gives its id. Afterwards MLflow is as it was.

    to: see `MLflow`. experiment: its name; it is made where there is none. name: of the run; None: MLflow makes one up.

    Raises:
        UsageError: MLflow is not installed, a run is going on, or the folder cannot be one.
        OddlensError: What MLflow says, in one sentence without a password.
    """
    address, files = _address(os.fspath(to))
    with needs_package("mlflow", "results for MLflow need it: pip install 'oddlens[mlflow]'"):
        import mlflow
        import mlflow.pyfunc
    before, logger = mlflow.get_tracking_uri(), logging.getLogger("mlflow")
    level = logger.level
    if mlflow.active_run() is not None:
        raise UsageError("a run of MLflow is going on in this program: end it first")
    tries = os.environ.get(_TRIES)
    os.environ.setdefault(_TRIES, "3")
    mlflow.set_tracking_uri(address)
    logger.setLevel(logging.WARNING)  # it tells of every table that it makes
    try:
        if mlflow.get_experiment_by_name(experiment) is None:
            mlflow.create_experiment(experiment, artifact_location=files)
        mlflow.set_experiment(experiment)
        with mlflow.start_run(run_name=name) as run:
            mlflow.set_tag("oddlens", __version__)
            yield run.info.run_id
    except ModuleNotFoundError as error:
        raise UsageError(f"MLflow needs the package {error.name} for {_shown(address)}: install it") from error
    except (OddlensError, ImportError, AttributeError, NameError, TypeError):
        raise  # ours, or a fault of the program
    except Exception as error:  # MLflow's, or of what it writes to
        said, password = str(error).strip().replace(address, _shown(address)), urlsplit(address).password
        said = first_line(OddlensError(said.replace(password, "***") if password else said))
        raise OddlensError(
            f"MLflow at {_shown(address)} cannot take the results ({said}): check the address and the server"
        ) from error
    finally:
        mlflow.set_tracking_uri(before)
        if tries is None:
            os.environ.pop(_TRIES, None)
        logger.setLevel(level)
