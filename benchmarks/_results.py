"""From samples to what a reader sees: lines, tables, verdicts. Every figure comes from the file of results alone."""

from __future__ import annotations

from collections import Counter
from statistics import median
from typing import Any

from benchmarks._cases import COMPILED, COPY, EAGER, JAX, OURS, PEERS, SETTINGS, SKLEARN, TITLES, TYPED

# In a file of results a case is {"group", "name", "targets", "peers", "load"}; a peer is {"samples", "note"} or
# {"absent": why}; ours is the first of PEERS[group].


def line(case: dict[str, Any]) -> str:
    """A case in one line: every peer's median and its ratio to ours, and the targets."""
    peers = [f"{name} {cell(case, name)}" for name in PEERS[case["group"]]]
    return " | ".join([f"{case['group']} {case['name']}", *peers, verdicts(case)])


def table(group: str, cases: list[dict[str, Any]]) -> list[str]:
    """The cases of one group as a table in Markdown."""
    columns = PEERS[group]  # type: ignore[index]
    rows = [[case["name"], *(cell(case, name) for name in columns), verdicts(case)] for case in cases]
    return markdown(["", *columns, "targets"], rows)


def cell(case: dict[str, Any], name: str) -> str:
    """A peer's median and, of a peer that is not ours, how many times ours it is; or why there is none."""
    peer = case["peers"][name]
    if "absent" in peer:
        return str(peer["absent"])
    own = figure(median(peer["samples"]))
    first = PEERS[case["group"]][0]
    if case["group"] == "first" or name == first:
        return own
    return f"{own} ({figure(median(peer['samples']) / median(case['peers'][first]['samples']))}×)"


def verdicts(case: dict[str, Any]) -> str:
    """Each target with what was measured: met, missed, or not judged where there is no such peer."""
    return "; ".join(f"{what}: {measured}{verdict}" for what, measured, verdict in judged(case)) or "no target"


def judged(case: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(the target, what was measured, the verdict) of each target."""
    found = []
    for target in case["targets"]:
        kind, name, bound = target["kind"], target["peer"], target["bound"]
        what = {
            "faster": f"{name} ≥ {bound:g}× ours",
            "within": f"≤ {bound:g}× {name}",
            "at most": f"{name} ≤ {bound:g}",
        }[kind]
        if "absent" in case["peers"][name]:
            found.append((what, "", f"not judged, {case['peers'][name]['absent']}"))
            continue
        ours, theirs = (median(case["peers"][x]["samples"]) for x in (PEERS[case["group"]][0], name))
        value = {"faster": theirs / ours, "within": ours / theirs, "at most": theirs}[kind]
        met = value >= bound if kind == "faster" else value <= bound
        found.append((what, f"{figure(value)}{'' if kind == 'at most' else '×'}, ", "met" if met else "missed"))
    return found


def tally(results: dict[str, Any], setting: str) -> str:
    """How many targets are met under a setting, and which are not."""
    every = [(case, *one) for case in results["settings"][setting]["cases"] for one in judged(case)]
    count = Counter(verdict.partition(",")[0] for *_, verdict in every)
    left = [
        f"{case['group']} {case['name']}, {what} ({measured}{verdict})"
        for case, what, measured, verdict in every
        if verdict != "met"
    ]
    text = f"Targets met: {count['met']} of {len(every)}."
    return f"{text} Others: {'; '.join(left)}." if left else text


def figure(x: float) -> str:
    """Three digits."""
    if x >= 100:
        return f"{x:,.0f}"
    return f"{x:.1f}" if x >= 10 else f"{x:.2f}" if x >= 1 else f"{x:.3g}"


def report(results: dict[str, Any]) -> str:
    """The whole page in Markdown: machine, settings, every table, every verdict."""
    machine = results["machine"]
    lines = ["# Cross-entropy: time and memory", "", *warnings_of(results)]
    lines += [
        f"Measured {results['date']} by `{results['command']}`. Figures are medians of at least {results['rounds']} "
        "rounds, in which all peers take turns in one process, warm; (…×) is the peer's time over ours. The gradient "
        "is made anew at every call, as in a training loop.",
        "",
        *markdown(["machine", ""], [[k, v] for k, v in machine.items()]),
    ]
    for setting, found in results["settings"].items():
        lines += ["", f"## Allocators: {setting}", "", explained(setting), ""]
        lines += markdown(["setting", ""], [[k, v] for k, v in found["environment"].items()])
        for group in dict.fromkeys(case["group"] for case in found["cases"]):
            cases = [case for case in found["cases"] if case["group"] == group]
            lines += ["", f"### {TITLES[group]}", "", *table(group, cases)]
            lines += notes(cases)
        lines += ["", tally(results, setting)]
    return "\n".join(lines) + "\n"


def notes(cases: list[dict[str, Any]]) -> list[str]:
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


def explained(setting: str) -> str:
    """What a setting is."""
    variables = " ".join(f"{k}={v}" for k, v in SETTINGS[setting].items())
    if not variables:
        return "The allocators as they come: a framework that gives memory back pays for its pages at every call."
    return f"Every process with `{variables}`: PyTorch and malloc ask the system for huge pages."


def warnings_of(results: dict[str, Any]) -> list[str]:
    """What a reader must know before any figure."""
    found = []
    if results["quick"]:
        found.append("**Sizes of a smoke test: no evidence of anything.**")
    load = float(results["machine"]["load before"].split()[0])
    if load > 0.75:  # less is what is left in the mean of the minute before
        found.append(f"**The machine was doing other work (load {load:g} before the run): ratios may be off.**")
    return [line for text in found for line in (text, "")]


def readme(results: dict[str, Any], source: str) -> str:
    """The block of the README between its markers: the timed cases under each setting, and the tally."""
    machine, first = results["machine"], next(iter(results["settings"].values()))
    columns = (EAGER, COMPILED, JAX, SKLEARN, COPY)
    lines = [*warnings_of(results)]
    lines += [
        f"{machine['processor']}, threads: {first['environment']['threads'].partition(',')[0]}, Python "
        f"{machine['Python']}, PyTorch {machine['torch']}, JAX {machine['jax']}, scikit-learn "
        f"{machine['scikit-learn']}. Medians in ms; (…×) is the peer's time over ours. `python -m "
        f"benchmarks.cross_entropy` prints it; the whole page is [here]({source})."
    ]
    for setting, found in results["settings"].items():
        lines += ["", f"Allocators: {setting}. {explained(setting)}", ""]
        timed = [case for case in found["cases"] if case["group"] in ("cross_entropy", "binary", "log_loss")]
        rows = []
        for case in timed:
            ours = OURS if OURS in case["peers"] else TYPED
            cells = [cell(case, name) if name in case["peers"] else "–" for name in columns]
            missed = [f"{what}: {measured}{verdict}" for what, measured, verdict in judged(case) if verdict != "met"]
            aims = "; ".join(missed) or "met"
            rows.append([f"{_SHORT[case['group']]} {case['name']}", cell(case, ours), *cells, aims])
        lines += markdown(["", "xent", *columns, "targets"], rows)
        fresh = [case for case in found["cases"] if case["group"] in ("memory", "first")]
        for case in fresh:
            lines += ["", f"{TITLES[case['group']]}, {line(case).partition(' ')[2]}."]
        lines += ["", tally(results, setting).partition(" Others")[0]]
    return "\n".join(line for at, line in enumerate(lines) if line or at == 0 or lines[at - 1]) + "\n"


_SHORT = {"cross_entropy": "`cross_entropy`", "binary": "`binary_cross_entropy_with_logits`", "log_loss": "log loss"}


def markdown(head: list[str], rows: list[list[str]]) -> list[str]:
    """A table."""
    return [
        f"| {' | '.join(head)} |",
        f"|{'---|' * len(head)}",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]
