"""When a kernel may go straight to memory: plain tensors, and nobody who wants to see what is done with them."""

from __future__ import annotations

import torch
from torch.autograd import forward_ad

from xent.core.arrays import Array
from xent.kernels.gpu import gpu
from xent.kernels.protocol import Kernel

KINDS = (torch.Tensor, torch.nn.Parameter)
HALF = (torch.float16, torch.bfloat16)
#: The hooks on saved tensors that are at work. PyTorch before 2.8 does not tell, and is taken to have none: what that
#: loses is memory under a checkpoint.
_hooks = getattr(torch._C._autograd, "_top_saved_tensors_default_hooks", lambda ignore_tracing: None)
#: Bound once, for the sake of small calls.
_compiling = torch.compiler.is_compiling
_transforming = torch._C._are_functorch_transforms_active
_modes = torch._C._len_torch_dispatch_stack
_tracing = torch._C._get_tracing_state
_wrapped = torch._C._functorch.is_functorch_wrapped_tensor
_batched = torch._C._functorch.is_legacy_batchedtensor
_strided = torch.strided


def plain(*tensors: Array | None) -> bool:
    """Whether all tensors (None is skipped) are dense numbers in this process's memory, and no compiler, tracer,
    transform, dispatch mode, forward-mode level or hook on saved tensors is at work."""
    return _watched_by_nobody() and all(x is None or (x.is_cpu and _holds_numbers(x)) for x in tensors)


def dense(*tensors: Array | None, hooked: bool = False) -> bool:
    """The same of tensors on one device, whichever it is; of numbers without axes on any. ``hooked``: hooks on saved
    tensors may be at work, for a function that saves what it was given and nothing else."""
    if not (_watched_by_nobody() or (hooked and _run_plainly())):
        return False
    devices = {x.device for x in tensors if x is not None and x.dim()}
    return len(devices) <= 1 and all(x is None or _holds_numbers(x) for x in tensors)


def reachable(kernel: Kernel, *tensors: Array | None) -> bool:
    """Whether a kernel may go straight to the memory of the tensors."""
    return dense(*tensors) if kernel is gpu else plain(*tensors)


def _watched_by_nobody() -> bool:
    # A checkpoint recomputes in order not to keep what is of the size of the scores: no gradient is kept for it.
    return _run_plainly() and _hooks(True) is None


def _run_plainly() -> bool:
    return not (_compiling() or forward_ad._current_level >= 0 or _transforming() or _modes() or _tracing() is not None)


def _holds_numbers(x: Array) -> bool:
    return (
        type(x) in KINDS
        and x.layout is _strided
        and not x.is_neg()
        and not x._is_zerotensor()
        and not _wrapped(x)
        and not _batched(x)
    )
