"""Compiles the programs for an NVIDIA H100 or H200 without one, as a launch would, and prints what came out as JSON.

Run without TRITON_INTERPRET: ``python compile_programs.py``. Tensors and shapes are those of a call on scores (N, K)
side by side; what Triton finds out of arguments (one, a multiple of 16) is told to it here.
"""

from __future__ import annotations

import json
import re
import struct
import time
from typing import Any

from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource, compile

from xent.kernels.gpu import bits, element_program, row_program
from xent.kernels.gpu.launch import ELEMENTS, aligned, cut_of, element_warps

_FLOATS = (
    "on", "off", "factor", "cap", "z_loss", "form_factor", "epsilon", "form_q", "gamma", "limit", "highest",
    "tolerance", "scale", "yes_factor", "yes_epsilon", "yes_gamma", "no_factor", "no_epsilon", "no_gamma",
    "no_margin", "p_factor",
)  # fmt: skip


def built(program: Any, arguments: dict[str, Any], constants: dict[str, Any], warps: int) -> dict[str, Any]:
    """``arguments``: the type of a pointer, a whole number, or None; the rest are floats."""
    signature: dict[str, str] = {}
    fixed: dict[tuple[int], Any] = {}
    known: dict[tuple[int], Any] = {}
    for place, name in enumerate(program.arg_names):
        value = constants.get(name, arguments.get(name))
        if name in constants or (value is None and name not in _FLOATS) or value == 1:
            signature[name], fixed[(place,)] = "constexpr", value
        elif name in _FLOATS:
            signature[name] = "fp32"
        elif isinstance(value, str):
            signature[name], known[(place,)] = value, [["tt.divisibility", 16]]
        else:
            signature[name] = "i32"
            if value % 16 == 0 and not program.params[place].do_not_specialize:
                known[(place,)] = [["tt.divisibility", 16]]
    start = time.perf_counter()
    source = ASTSource(fn=program, signature=signature, constexprs=fixed, attrs=known)
    found = compile(source, target=GPUTarget("cuda", 90, 32), options={"num_warps": warps})
    ptx = found.asm["ptx"]
    return {
        "seconds": time.perf_counter() - start,
        "loads": len(re.findall(r"ld\.global", ptx)),
        "wide loads": len(re.findall(r"ld\.global[^\n]*\.v4\.b32", ptx)),
        "stores": len(re.findall(r"st\.global", ptx)),
        "wide stores": len(re.findall(r"st\.global[^\n]*\.v4\.b32", ptx)),
        "shared": found.metadata.shared,
        **_resources(found.asm["cubin"]),
    }


def _resources(elf: bytes) -> dict[str, int]:
    """Registers, and bytes of stack, which is where registers spill, from a cubin's section .nv.info."""
    table = struct.unpack_from("<Q", elf, 0x28)[0]
    size, count, names = struct.unpack_from("<HHH", elf, 0x3A)
    sections = [struct.unpack_from("<IIQQQQIIQQ", elf, table + i * size) for i in range(count)]
    found: dict[str, int] = {}
    for section in sections:
        start = sections[names][4] + section[0]
        if elf[start : elf.index(b"\0", start)] != b".nv.info":
            continue
        at, end = section[4], section[4] + section[5]
        while at < end:
            form, attribute, length = struct.unpack_from("<BBH", elf, at)
            if form == 4 and attribute in _ATTRIBUTES:
                name = _ATTRIBUTES[attribute]
                found[name] = max(found.get(name, 0), struct.unpack_from("<II", elf, at + 4)[1])
            at += 4 + length if form == 4 else 4
    return found


_ATTRIBUTES = {0x2F: "registers", 0x12: "stack"}


def rows(kind: str, classes: int, **chosen: Any) -> dict[str, Any]:
    """The program over rows (4096, classes)."""
    target, gradient = chosen.get("TARGET", bits.HARD), chosen.get("GRADIENT", bits.FUSED)
    want, adjusts = chosen.get("WANT", bits.LOSS | bits.LSE), chosen.get("ADJUSTS", 0)
    hard, soft = target in (bits.HARD, bits.SMOOTHED, bits.LABELLED), target in (bits.SOFT, bits.LOGS)
    mixed = gradient in (bits.MIXED, bits.MIXED_ENTROPY)
    arguments: dict[str, Any] = {
        "z": f"*{kind}",
        "out": f"*{kind}" if gradient else None,
        "index": "*i64" if hard else None,
        "probs": "*fp32" if soft else None,
        "a_": "*fp32" if gradient else None,
        "b_": "*fp32" if mixed else None,
        "h_": "*fp32" if gradient == bits.MIXED_ENTROPY else None,
        "replaced_": "*fp32" if adjusts & bits.TRUTH else None,
        "truth_slope_": "*fp32" if adjusts & bits.TRUTH else None,
        "offset": "*fp32" if adjusts & bits.OFFSET else None,
        "weights": "*fp32" if chosen.get("weighted") else None,
        "p_shift_": "*fp32" if chosen.get("teacher") else None,
        "above_": "*fp32" if chosen.get("ABOVE") else None,
        "losses": "*fp32" if want & bits.LOSS else None,
        "lses": "*fp32" if want & bits.LSE else None,
        "entropies": "*fp32" if want & bits.ENTROPY and not mixed else None,
        "sums": "*fp32" if want & bits.SCORE_SUM else None,
        "firsts": "*i64" if want & bits.ARGMAX else None,
        "count": 4096,
        "classes": classes,
    }
    for prefix, there in (("", True), ("out_", bool(gradient)), ("p_", soft)):
        layout = (1, classes, 1, 0) if there else (1, 0, 1, 0)
        if chosen.get("images"):
            layout = (4096, 1, 4096, 4096 * classes) if there else (1, 0, 1, 0)
        arguments |= dict(zip((prefix + x for x in ("stride", "step", "plane", "leap")), layout, strict=True))
    heavy = target >= bits.SOFT or bool(want & bits.ENTROPY) or adjusts > bits.FACTOR
    cut = cut_of(classes, heavy)
    constants = {
        "WANT": want, "TARGET": target, "GRADIENT": gradient, "ADJUSTS": adjusts, "ABOVE": chosen.get("ABOVE", 0),
        "CHECK": chosen.get("CHECK", 0), "OWN_MASS": chosen.get("OWN_MASS", False),
        "SHAPED": chosen.get("SHAPED", False), "HELD": cut.held, "R": cut.rows, "B": cut.classes,
        "ALIGNED": 1 if chosen.get("images") else aligned(classes), "FLAT": not chosen.get("images"), "PTX": True,
    }  # fmt: skip
    return built(row_program.rows, arguments, constants, cut.warps) | {"threads": 32 * cut.warps}


def elements(kind: str, **chosen: int) -> dict[str, Any]:
    """The program over elements, summed with their gradient; ``scaled`` by a number on the device."""
    scaled = chosen.pop("scaled", False)
    arguments = {
        "z": f"*{kind}", "out": f"*{kind}", "t_": f"*{kind}", "w_": "*fp32" if chosen.get("W") else None,
        "v_": "*fp32" if chosen.get("V") else None, "g_": "*fp32" if chosen.get("G") else None,
        "scale_": "*fp32" if scaled else None, "above_": "*fp32" if chosen.get("ABOVE") else None,
        "each": None, "sums": "*fp64", "count": 2**20, "classes": 1000 if chosen.keys() & {"W", "V"} else 1,
    }  # fmt: skip
    constants = {
        "T": bits.EACH,
        "W": 0,
        "V": 0,
        "G": 0,
        "CHECK": 0,
        "SHAPED": False,
        "ABOVE": 0,
        **chosen,
        "B": ELEMENTS,
        "PTX": True,
    }
    return built(element_program.losses, arguments, constants, element_warps(chosen.get("SHAPED", 0)))


def main() -> None:
    """One line of JSON: what was built, by name."""
    every = bits.LOSS | bits.LSE | bits.ENTROPY | bits.ARGMAX | bits.SCORE_SUM
    found = {
        f"{kind} {classes}": rows(kind, classes) for kind in ("bf16", "fp32") for classes in (10, 1000, 16384, 128256)
    }
    found |= {
        "half 50257": rows("fp16", 50257),
        "smoothed": rows("bf16", 32000, TARGET=bits.SMOOTHED),
        "soft": rows("bf16", 32000, TARGET=bits.SOFT),
        "checked": rows("bf16", 32000, TARGET=bits.SOFT, CHECK=bits.PROBABILITIES),
        "checked, held": rows("bf16", 16384, TARGET=bits.SOFT, CHECK=bits.PROBABILITIES),
        "teacher": rows("bf16", 32000, TARGET=bits.LOGS, teacher=True),
        "teacher, held": rows("bf16", 16384, TARGET=bits.LOGS, teacher=True),
        "weighted labels": rows("bf16", 32000, TARGET=bits.LABELLED, weighted=True),
        "images": rows("fp32", 21, images=True),
        "tokens": rows("bf16", 128256, GRADIENT=bits.WITHOUT, WANT=bits.LOSS | bits.ENTROPY | bits.ARGMAX),
        "tokens, held": rows("bf16", 16384, GRADIENT=bits.WITHOUT, WANT=bits.LOSS | bits.ENTROPY | bits.ARGMAX),
        "soft, held": rows("bf16", 16384, TARGET=bits.SOFT),
        "capped, held": rows("bf16", 16384, ADJUSTS=bits.CAP),
        "adjusted, held": rows("bf16", 16384, ADJUSTS=bits.FACTOR | bits.OFFSET | bits.TRUTH),
        "entropy's gradient, held": rows("bf16", 16384, GRADIENT=bits.MIXED_ENTROPY, WANT=bits.ENTROPY),
        "logs": rows("fp32", 1000, TARGET=bits.LOGS),
        "shaped": rows("bf16", 32000, SHAPED=True),
        "adjusted": rows("bf16", 32000, ADJUSTS=bits.FACTOR | bits.OFFSET | bits.TRUTH),
        "capped": rows("bf16", 32000, ADJUSTS=bits.CAP),
        "from above": rows("bf16", 32000, ABOVE=bits.UNLESS_ONE),
        "loss alone": rows("bf16", 128256, GRADIENT=bits.WITHOUT, WANT=bits.LOSS),
        "every statistic": rows("bf16", 128256, GRADIENT=bits.WITHOUT, WANT=every, TARGET=bits.SMOOTHED),
        "entropy's gradient": rows("fp32", 32000, GRADIENT=bits.MIXED_ENTROPY, WANT=bits.ENTROPY),
        "capped, from slopes": rows("bf16", 32000, GRADIENT=bits.MIXED, WANT=0, ADJUSTS=bits.CAP, OWN_MASS=True),
        "soft, from slopes": rows("bf16", 32000, GRADIENT=bits.MIXED, WANT=0, TARGET=bits.SOFT, OWN_MASS=True),
        "mixed": rows("bf16", 32000, GRADIENT=bits.MIXED, WANT=0),
        "elements": elements("bf16"),
        "elements, focal": elements("bf16", CHECK=bits.ZERO_OR_ONE, SHAPED=bits.FORMS, scaled=True),
        "elements, asymmetric": elements("bf16", CHECK=bits.ZERO_OR_ONE, SHAPED=bits.SHIFTED),
        "elements, by row": elements("bf16", W=bits.ROWS, G=bits.EACH, CHECK=bits.PROBABILITIES),
        "elements, weighted": elements("fp32", W=bits.CLASSES, V=bits.CLASSES, ABOVE=bits.UNLESS_ONE),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
