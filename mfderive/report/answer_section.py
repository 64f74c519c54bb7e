"""What a page opens with: the verdict in a sentence, the limit with its band, and the numbers that matter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
from scipy import stats

from ..fluctuation.band import APART, DEAR, REFUSED, STILL
from ..fluctuation.predictions import UNASKED
from ..verdict.wording import grounds
from .curves import Curve
from .figures import inline_svg
from .html import items
from .prediction_figures import BAND, FIGURES

Data = Mapping[str, Any]
_INSTEAD = "The bands are what the networks themselves cover."
_PREDICTED = "95 % of networks of a width are predicted to lie within its band."
# Why nothing is predicted, from the facts of the finding.
_REASONS: dict[str, Callable[[Data], str]] = {
    REFUSED: lambda facts: f"Fluctuations are not predicted: {_sentence(facts['message'])}",
    DEAR: lambda facts: (
        "Fluctuations are not predicted here: that would take about "
        f"{facts['operations'] / facts['allowed']:.2g} times as long as a page allows (`mfderive width` "
        "takes the time)."
    ),
    STILL: lambda facts: (
        "No neuron has a random number that counts, so that networks do not deviate at the order 1/√n."
    ),
    APART: lambda facts: (
        "Fluctuations are not predicted here: the quick solution that they need has a loss of "
        f"{facts['loss']:.3g} where that of the limit is {facts['limit']:.3g} (`mfderive width` takes all "
        "steps)."
    ),
    UNASKED: lambda facts: "Fluctuations were not predicted (`--effort none`).",
}


def answer_section(record: Data, figures: Mapping[str, str]) -> str:
    """The body of the section, HTML; empty as long as nothing is solved."""
    if not record["final"]:
        return ""
    drawn = [one for one in FIGURES if one.name == BAND and one.name in figures]
    opening = "\n".join([*(_figure(figures, one, _band_words(record)) for one in drawn), _three(record)])
    return "\n".join(
        [_verdict(record), f'<div class="opening">\n{opening}\n</div>', items(list(_numbers(record)))]
    )


def fluctuation_section(record: Data, figures: Mapping[str, str]) -> str:
    """The body of the section about deviations of networks, HTML; empty where nothing was compared."""
    found = _found(record)
    networks = found.get("networks")
    drawn = [one for one in FIGURES if one.name != BAND and one.name in figures]
    if not networks or not drawn:
        return ""
    nodes = ", ".join(f"{count} of {name}" for name, count in found["nodes"].items())
    merged = found["merged"]
    steps = f", with {merged} steps of SGD put together to one" if merged > 1 else ""
    told = [
        f"The law was predicted from the limit alone, on few nodes ({nodes}){steps}.",
        f"{networks['count']} networks of width {networks['width']} were trained for {networks['steps'][-1]} "
        f"steps (t = {networks['times'][-1]:.3g}) on the limit's batches and observed at "
        f"{len(networks['scores'][-1])} outputs.",
        "Corrections of order 1/n, a shift of the mean among them, are not in the law.",
    ]
    opening = f"<p>{escape(' '.join(told))}</p>"
    return (
        opening + '\n<div class="figures">\n' + "\n".join(_figure(figures, one) for one in drawn) + "\n</div>"
    )


def inside_bands(predicted: Data | None, curves: Sequence[Curve]) -> dict[str, int] | None:
    """How many networks end within the band of their width: {"inside", "of"}; None where there is no band."""
    bands = (predicted or {}).get("bands", {})
    ends = [(curve.loss[-1], bands.get(str(curve.width))) for curve in curves if len(curve.loss)]
    held = [band["low"][-1] <= loss <= band["high"][-1] for loss, band in ends if band]
    return {"inside": int(sum(held)), "of": len(held)} if held else None


def _found(record: Data) -> Data:
    found: Data = record.get("predictions") or {}
    return found


def _verdict(record: Data) -> str:
    data = record.get("verdict")
    if data:
        status = str(data["status"])
        return (
            f'<p class="verdict {escape(status)}"><b>{escape(status.capitalize())}</b>'
            f"{escape(grounds(data))}.</p>"
        )
    told = "is still missing" if record.get("missing") else "was not asked for"
    return f'<p class="verdict"><b>Not checked</b>: the verdict on limit and networks {told}.</p>'


def _figure(figures: Mapping[str, str], one: Any, more: str = "") -> str:
    caption = f"<b>{escape(one.title)}.</b> {escape(one.caption)} {escape(more)}"
    return (
        f'<figure class="{"answer" if more else "deviations"}">\n'
        f"{inline_svg(figures[one.name], one.name, escape(one.title))}\n"
        f"<figcaption>{caption.strip()}</figcaption>\n</figure>"
    )


def _band_words(record: Data) -> str:
    return _PREDICTED if _found(record).get("bands") else _INSTEAD


def _three(record: Data) -> str:
    """The three numbers that matter, large; HTML."""
    cells = "".join(
        f"<div><dt>{escape(said)}</dt><dd>{escape(value)}</dd></div>" for value, said in _matters(record)
    )
    return f'<dl class="matters">{cells}</dl>' if cells else ""


def _matters(record: Data) -> Iterator[tuple[str, str]]:
    """Where the limit ends, where the widest networks end, and how far networks are from the limit."""
    rows = {row["width"]: row for row in record["final"] if row["loss"] is not None}
    limit = rows.pop(None, None)
    if limit is not None:
        yield f"{limit['loss']:.4g}", "final loss of the limit"
    widest = rows[max(rows)] if rows else None
    if widest is not None:
        yield f"{widest['loss']:.4g}", f"final loss at width {widest['width']}, on average"
    deviation = _found(record).get("deviation")
    if deviation and rows:
        yield f"{deviation[-1]:.2g}/√n", "deviation of an output at width n, predicted"
    elif widest is not None and widest["distance"] is not None:
        yield f"{widest['distance']:.2g}", "farthest that their losses are from the limit's"


def _numbers(record: Data) -> Iterator[str]:
    """The numbers that matter, each in a sentence."""
    found = _found(record)
    if found.get("reason"):
        reason = found["reason"]
        yield _REASONS[reason["kind"]](reason["facts"])
    yield from _losses(record, found)
    inside = record.get("inside_bands")
    if inside:
        yield f"At the end {inside['inside']} of {inside['of']} networks lie within the band of their width."
    widths = [row["width"] for row in record["final"] if row["width"] is not None]
    if found.get("deviation") and widths:
        last = found["deviation"][-1]
        yield (
            f"An output of a network of width n then deviates by {last:.2g}/√n (predicted standard "
            f"deviation, root mean square over {found['points']} points): by {last / widths[-1] ** 0.5:.2g} "
            f"at n = {widths[-1]}."
        )
    if found.get("networks"):
        yield _ratio(found["networks"])
    yield from found.get("until", ())


def _losses(record: Data, found: Data) -> Iterator[str]:
    rows = {row["width"]: row for row in record["final"]}
    limit = rows.pop(None, None)
    if limit is not None and limit["loss"] is not None:
        error = "" if limit["error"] is None else f" and an error of {limit['error']:.3g}"
        yield f"The limit ends at a loss of {limit['loss']:.4g}{error}."
    for width in sorted({min(rows), max(rows)}) if rows else ():
        if rows[width]["loss"] is None:
            continue
        band = found.get("bands", {}).get(str(width))
        told = (
            f": 95 % are predicted between {band['low'][-1]:.4g} and {band['high'][-1]:.4g}" if band else ""
        )
        yield f"Networks of width {width} end at {rows[width]['loss']:.4g} on average{told}."


def _ratio(networks: Data) -> str:
    """How large deviations are beside the predicted ones, with what chance leaves of so many networks."""
    count = networks["count"]
    low, high = np.sqrt(stats.chi2.ppf((0.025, 0.975), count) / count)
    return (
        f"{count} networks of width {networks['width']} deviated {networks['ratio'][-1]:.2f} times as much "
        f"as predicted, after {networks['steps'][-1]} steps (chance leaves {low:.2f} to {high:.2f} of a "
        "single output)."
    )


def _sentence(message: str) -> str:
    return message if message.endswith(".") else f"{message}."
