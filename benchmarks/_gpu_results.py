"""From the samples of a GPU to what a reader sees. Every figure comes from the file of results alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from statistics import median
from typing import Any

from benchmarks._gpu_cases import COPY, NOT_HERE, PEERS, READ, RIVALS, TITLES
from benchmarks._results import figure, markdown, warnings_of

# A file of results is {"quick", "runs", "cases", "missing"}. A run is {"date", "command", "rounds", "kernel",
# "machine"}. A case is {"run", "seconds", "group", "name", "targets", "bytes", "peers"}: its run by its place, and the
# seconds that measuring it took. A peer is {"samples", "note"}, {"absent": why} or {"wrong": what}; ours is the first
# of PEERS[group]. What is missing is [group, name].

#: How many times the scores' bytes each of these moves.
_MOVES = {COPY: 2, READ: 1}
_OWN_FIGURES = ("memory", "first")


def typical(case: dict[str, Any], name: str) -> float | None:
    """The median of a peer; None where it has no samples."""
    peer = case["peers"].get(name, {})
    return median(peer["samples"]) if "samples" in peer else None


def why_not(case: dict[str, Any], name: str) -> str:
    """Why a peer has no samples."""
    peer = case["peers"][name]
    return f"wrong: {peer['wrong']}" if "wrong" in peer else str(peer["absent"])


def cell(case: dict[str, Any], name: str) -> str:
    """A peer's median, with how many times ours it is or the bandwidth that it shows; or why there is none."""
    own, ours = typical(case, name), typical(case, PEERS[case["group"]][0])
    if own is None:
        return why_not(case, name)
    if name in _MOVES:
        return f"{figure(own)} ({_MOVES[name] * case['bytes'] / own / 1e9:.2f} TB/s)"
    if ours is None or case["group"] in _OWN_FIGURES or name == PEERS[case["group"]][0]:
        return figure(own)
    return f"{figure(own)} ({figure(own / ours)}×)"


def judged(case: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(the target, what was measured, the verdict) of each target: met, missed, or not judged.

    Where we have no result, or a wrong one, a target is missed; where who it names has none, it is not judged.
    """
    return [(_in_words(case, target), *_verdict(case, target)) for target in case["targets"]]


def _in_words(case: dict[str, Any], target: dict[str, Any]) -> str:
    name, bound = target["peer"], target["bound"]
    return {
        "bandwidth": f"≥ {bound:.0%} of the bandwidth of {name}",
        "best": "≥ the best peer" if bound == 1 else f"best peer ≥ {bound:g}× ours",
        "faster": f"{name} ≥ {bound:g}× ours",
        "within": f"{name} ≤ {bound:g}× {PEERS[case['group']][0]}",
        "at most": f"{name} ≤ {bound:g}",
    }[target["kind"]]


def _verdict(case: dict[str, Any], target: dict[str, Any]) -> tuple[str, str]:
    kind, name, bound = target["kind"], target["peer"], target["bound"]
    if kind == "at most":
        own = typical(case, name)
        if own is None:
            return "", f"missed, {why_not(case, name)}"
        return figure(own), "met" if own <= bound else "missed"
    first = PEERS[case["group"]][0]
    ours = typical(case, first)
    if ours is None:
        return "", f"missed, {why_not(case, first)}"
    if kind == "best":
        times = {rival: time for rival in RIVALS if (time := typical(case, rival)) is not None}
        if not times:
            return "", "not judged, no peer has a result"
        name = min(times, key=times.__getitem__)
    theirs = typical(case, name)
    if theirs is None:  # where it is within a bound of ours, it is a loss of ours too
        return "", f"{'missed' if kind == 'within' else 'not judged'}, {why_not(case, name)}"
    ratio = theirs / ours
    shown = f"{ratio:.1%}" if kind == "bandwidth" else f"{figure(ratio)}×"
    met = ratio <= bound if kind == "within" else ratio >= bound
    return f"{shown} of {name}" if kind == "best" else shown, "met" if met else "missed"


def verdicts(case: dict[str, Any]) -> str:
    """Each target with what was measured."""
    return "; ".join(": ".join((what, ", ".join(filter(None, rest)))) for what, *rest in judged(case)) or "no target"


def line(case: dict[str, Any]) -> str:
    """A case in one line."""
    peers = [f"{name} {cell(case, name)}" for name in PEERS[case["group"]]]
    return " | ".join([f"{case['group']} {case['name']}", *peers, verdicts(case)])


def tally(cases: list[dict[str, Any]]) -> str:
    """How many targets are met, and which are not."""
    every = [(case, *one) for case in cases for one in judged(case)]
    count = Counter(verdict.partition(",")[0] for *_, verdict in every)
    left = [
        f"{case['group']} {case['name']}, {what} ({', '.join(filter(None, (measured, verdict)))})"
        for case, what, measured, verdict in every
        if verdict != "met"
    ]
    text = f"Targets met: {count['met']} of {len(every)}."
    return f"{text} Others: {'; '.join(left)}." if left else text


def report(results: dict[str, Any]) -> str:
    """The whole page in Markdown."""
    runs, several = results["runs"], len(results["runs"]) > 1
    busiest = max(runs, key=lambda run: float(run["machine"]["load before"].split()[0]))
    lines = ["# Cross-entropy on a GPU", "", *warnings_of({**busiest, "quick": results["quick"]})]
    for kernel in dict.fromkeys(run["kernel"] for run in runs if run["kernel"] != "gpu"):
        lines += [f"**The GPU kernels did not run: {kernel}.**", ""]
    lines += _missing(results)
    lines += [
        f"Measured {_when(runs)}. Figures are medians of {_of_runs([run['rounds'] for run in runs])} rounds by "
        "the device's own events; in every round all peers of a case take a turn in one process, in another order. "
        "Before each call the second-level cache is emptied by reading other memory, and the call is queued while that "
        "lasts, so that the time is the device's. (…×) is the peer's time over ours. The bandwidth of `copy` and "
        "`read` is that of the same tensor, the scores, in the same rounds. Every result was held to float64 before it "
        "was timed. Memory is of one call of a warm peer; a first call is the median of fresh processes.",
        "",
        *markdown(["machine", ""], _machines(runs)),
    ]
    for group in dict.fromkeys(case["group"] for case in results["cases"]):
        cases = [case for case in results["cases"] if case["group"] == group]
        columns = PEERS[group]
        head = ["", *columns, "targets", *["run"] * several]
        rows = [
            [case["name"], *(cell(case, name) for name in columns), verdicts(case), *[str(case["run"] + 1)] * several]
            for case in cases
        ]
        lines += ["", f"## {TITLES[group]}", "", *markdown(head, rows), *_notes(cases)]
    lines += [line for name, why in NOT_HERE.items() for line in ("", f"{name}: {why}.")]
    lines += ["", tally(results["cases"])]
    return "\n".join(lines) + "\n"


def named(cases: Iterable[tuple[str, str]]) -> str:
    """(group, name) of cases in words."""
    found: dict[str, list[str]] = {}
    for group, name in cases:
        found.setdefault(group, []).append(name)
    return "; ".join(f"{group} {', '.join(names)}" for group, names in found.items())


def _missing(results: dict[str, Any]) -> list[str]:
    if not results["missing"]:
        return []
    command = f"python -m benchmarks.gpu{' --quick' * results['quick']}"
    return [f"**Not measured yet: {named(results['missing'])}.** `{command}` goes on with them.", ""]


def _when(runs: list[dict[str, Any]]) -> str:
    said = [f"{run['date']} by `{run['command']}`" for run in runs]
    if len(said) == 1:
        return said[0]
    return f"in {len(said)} runs: {', '.join(f'({i}) {one}' for i, one in enumerate(said, 1))}"


def _of_runs(found: list[Any]) -> str:
    """What is the same in every run; where they differ, that of each."""
    return str(found[0]) if len(set(found)) == 1 else ", ".join(f"{x} (run {i})" for i, x in enumerate(found, 1))


def _machines(runs: list[dict[str, Any]]) -> list[list[str]]:
    names = dict.fromkeys(name for run in runs for name in run["machine"])
    return [[name, _of_runs([run["machine"].get(name, "unknown") for run in runs])] for name in names]


def _notes(cases: list[dict[str, Any]]) -> list[str]:
    """What is to be said of a peer, once for all the cases of which it is true."""
    found: dict[tuple[str, str], list[str]] = {}
    for case in cases:
        for name, peer in case["peers"].items():
            if peer.get("note"):
                found.setdefault((name, peer["note"]), []).append(case["name"])
    lines = []
    for (name, note), of in found.items():
        where = "" if len(of) == len(cases) else f" ({', '.join(of)})"
        lines += ["", f"{name}{where}: {note}."]
    return lines
