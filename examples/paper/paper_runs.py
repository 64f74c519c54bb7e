"""Curves of the limit and of finite networks: trained once, kept on the way, written when finished."""

import hashlib
import json
import shutil
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

import mfderive as mf
from mfderive.runs.atomic import write_text
from mfderive.runs.evaluation import evaluate_loss_error

EVALUATION = 10_000  # samples of the paper's Monte-Carlo averages
EVERY = 20.0  # seconds between two states that are kept
_WIDE, _FEW = 800, 9


@dataclass(frozen=True)
class Setting:
    """One network of a figure: its spec file, what the legend calls it, and how its limit is solved."""

    spec: Path
    label: str = ""
    solve: Mapping[str, Any] = field(default_factory=dict)  # options of mf.solve

    def network(self, data: Mapping[str, Any] | None) -> mf.Network:
        """The network; ``data`` stands for the table ``[data]`` of the spec, where it is given.

        Its x and y may be the arrays themselves.
        """
        if data is None:
            return mf.load(self.spec)
        table = {key: value for key, value in data.items() if not isinstance(value, np.ndarray)}
        arrays = (data["x"], data["y"]) if len(table) < len(data) else None
        document = {**tomllib.loads(self.spec.read_text(encoding="utf-8")), "data": table}
        return mf.load(document, data=arrays)


@dataclass(frozen=True)
class Asked:
    """How long and how often networks are trained, and where the curves go.

    ``moments``: how many states are measured on the training sample, where there is a test sample (the loss
    of the test sample is observed at all 50 moments). All of these states are in memory, so that networks
    beyond ``_WIDE`` have fewer.
    """

    widths: tuple[int, ...]
    seeds: int
    steps: int
    output: Path
    nodes: int | None = None
    moments: int = 25

    def states(self, width: int | None) -> int:
        """How many states are measured of networks of a width, where there is a test sample."""
        return min(self.moments, _FEW) if width is not None and width > _WIDE else self.moments


@dataclass(frozen=True)
class Curve:
    """Loss and error of one run on one sample; ``width`` None: the limit.

    ``steps``, ``times`` (sums of learning rates), ``loss`` and ``error`` have one entry for each moment.
    """

    row: int
    setting: str
    split: str
    width: int | None
    seed: int
    steps: list[int]
    times: list[float]
    loss: list[float]
    error: list[float]

    @property
    def name(self) -> str:
        """What the legend says."""
        return "limit (n = ∞)" if self.width is None else f"n = {self.width}"


def trained(row: int, setting: Setting, network: mf.Network, asked: Asked) -> Iterator[Curve]:
    """Curves of the limit, then of every width; those that are there already are read, not trained again."""
    for width in (None, *asked.widths):
        who = "limit" if width is None else f"n{width}"
        mark = _mark(setting, network, asked, width)
        name = f"{setting.spec.stem}-{who}-{mark[:12]}"
        unfinished = asked.output / "unfinished" / name

        def train(width: int | None = width, who: str = who, folder: Path = unfinished) -> list[Any]:
            print(f"  {setting.label or setting.spec.stem}, {who}: {asked.steps} steps", flush=True)
            return [asdict(curve) for curve in _train(setting, network, asked, width, folder)]

        found = once(asked.output / "curves" / f"{name}.json", mark, train)
        shutil.rmtree(unfinished, ignore_errors=True)
        yield from (replace(Curve(**entry), row=row) for entry in found)


def once(place: Path, mark: str, make: Callable[[], Any]) -> Any:
    """What ``make`` returns (plain data), from the file where an earlier run left it under the same mark."""
    try:
        document = json.loads(place.read_text(encoding="utf-8"))
        if document["mark"] == mark:
            return document["made"]
    except (OSError, ValueError, KeyError, TypeError):
        pass
    made = make()
    place.parent.mkdir(parents=True, exist_ok=True)
    write_text(place, json.dumps({"mark": mark, "made": made}))
    return made


def _train(
    setting: Setting, network: mf.Network, asked: Asked, width: int | None, folder: Path
) -> list[Curve]:
    """One solution of the limit or all networks of one width, kept on the way in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    length: dict[str, Any] = {"steps": asked.steps, "evaluation": EVALUATION}
    length["keep"] = mf.Keeper(folder, EVERY)
    length["checkpoints"] = _states(network, asked, width)
    if width is not None:
        paths = mf.simulate(network, width, asked.seeds, **length)
    else:
        options = dict(setting.solve) if asked.nodes is None else {**setting.solve, "nodes": asked.nodes}
        paths = [mf.solve(network, stated_error=False, **options, **length)]
    return [curve for path in paths for curve in _curves(setting, network, path, width)]


def _curves(setting: Setting, network: mf.Network, path: mf.Trajectory, width: int | None) -> Iterator[Curve]:
    """What a trajectory observed; on the training sample too, at its states, where there is a test sample.

    Curves belong to row 0 until it is known who asks for them: rows of a figure may share some.
    """

    def curve(split: str, steps: Any, times: Any, loss: Any, error: Any) -> Curve:
        columns = [np.asarray(values).tolist() for values in (steps, times, loss, error)]
        return Curve(0, setting.label, split, width, path.seed, *columns)

    yield curve("test", path.steps, path.times, path.loss, path.error)
    if _has_test(network):
        x, y = network.source.evaluation(EVALUATION, "train")
        points = path.checkpoints
        pairs = [evaluate_loss_error(network, path.observe("yhat", x, point.time), y) for point in points]
        loss, error = zip(*pairs, strict=True)
        yield curve("train", [p.step for p in points], [p.time for p in points], loss, error)


def _states(network: mf.Network, asked: Asked, width: int | None) -> int:
    return asked.states(width) if _has_test(network) else 2


def _has_test(network: mf.Network) -> bool:
    return getattr(network.source, "test", None) is not None


def _mark(setting: Setting, network: mf.Network, asked: Asked, width: int | None) -> str:
    """A digest of all that the numbers of a curve depend on: another one is another curve."""
    source = network.source
    x, y = source.batch(1, 1)
    parts = [setting.spec.read_text(encoding="utf-8"), setting.label, asked.steps, EVALUATION, width]
    parts += [mf.__version__, source.rows, x.tolist(), y.tolist()]
    parts += [asked.seeds] if width is not None else [sorted(setting.solve.items()), asked.nodes]
    return hashlib.sha256(json.dumps([*parts, _states(network, asked, width)]).encode()).hexdigest()
