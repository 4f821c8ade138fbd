"""xent's drop-ins: a framework's own names, so that an equal call is the framework's with another module before it."""

from __future__ import annotations

from dataclasses import replace

from xent.dialects.call import Call, NoEqual

#: What stands before a helper's name, and what stands there in its drop-in.
PREFIXES = {
    "torch.nn.functional.": "xent.torch.",
    "torch.nn.": "xent.torch.",
}
#: Losses that PyTorch has and the drop-in does not.
ABSENT = frozenset({"PoissonNLLLoss", "poisson_nll_loss", "MSELoss"})


def drop_in(call: Call | NoEqual) -> Call | None:
    """The same call of the drop-in; None where there is none."""
    if isinstance(call, NoEqual):
        return None
    for theirs, ours in PREFIXES.items():
        if call.helper.startswith(theirs):
            name = call.helper.removeprefix(theirs)
            if name in ABSENT:
                return None
            lines = tuple(line.replace(call.helper, ours + name) for line in call.lines)
            module = ours.rstrip(".")
            imports = tuple(line for line in call.imports if f"{line.split()[-1]}." in "\n".join(lines))
            imports = (*(line for line in imports if line != "import xent"), f"import {module}")
            return replace(call, framework=module, helper=ours + name, lines=lines, imports=imports, differences=())
    return None
