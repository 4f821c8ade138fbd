"""Every exception that xent raises.

Each class is also the builtin that fits, so ``except ValueError`` goes on working::

    XentError
    ├── KindError             TypeError    an argument is of the wrong kind (P is not a target, Q not a prediction)
    │   ├── DtypeError                     its numbers are of the wrong type (float labels, integer logits)
    │   ├── BackendError                   arrays of a framework that xent does not know, or of two frameworks
    │   └── UndefinedPairError             the measure has no meaning for this P and Q (hinge of probabilities)
    ├── OptionError           ValueError   an option has a value that does not exist
    ├── ShapeError            ValueError   shapes do not fit
    │   ├── AxisError         IndexError   the axis does not exist
    │   └── OneClassError                  a softmax over a single class
    ├── DataError             ValueError   a value in the data cannot be what it was declared to be
    │   ├── LabelError        IndexError   a label outside the classes
    │   ├── ProbabilityError               a probability outside [0, 1], or NaN
    │   │   └── NormalizationError         probabilities that do not sum to one
    │   ├── WeightError                    a negative, infinite or NaN weight
    │   └── SoftTargetError                a shaping that has several readings, given a soft target
    ├── EmptyError            ValueError   a mean over nothing, where ``empty="raise"``
    ├── NoEqualError          LookupError  a loss that another framework cannot be made to give
    ├── KernelError           RuntimeError no kernel takes this input
    ├── MissingExtraError     ImportError  a command or format whose optional dependency is not installed
    └── InputError            ValueError   a file to evaluate cannot be used
        ├── UnreadableFileError OSError    missing, truncated, or not of its format
        └── ColumnError       LookupError  a column that is not there

A message says the argument, what was expected, what came (shape, value, first position) and what to write instead.
"""

from __future__ import annotations


class XentError(Exception):
    """Base of every error that xent raises.

    ``argument``, ``expected``, ``got`` and ``instead`` hold the parts of the message.
    """

    def __init__(self, argument: str, expected: str, got: str, instead: str = "") -> None:
        self.argument = argument
        self.expected = expected
        self.got = got
        self.instead = instead
        message = f"{argument}: expected {expected}; got {got}."
        super().__init__(f"{message} {instead}" if instead else message)

    def __reduce__(self) -> tuple[type[XentError], tuple[str, str, str, str]]:
        return type(self), (self.argument, self.expected, self.got, self.instead)


class KindError(XentError, TypeError):
    """An argument is of the wrong kind."""


class DtypeError(KindError):
    """The numbers in an array are of the wrong type."""


class BackendError(KindError):
    """Arrays of a framework that xent does not know, or of two frameworks at once."""


class UndefinedPairError(KindError):
    """The measure has no meaning for this pair of P and Q."""


class OptionError(XentError, ValueError):
    """An option has a value that does not exist."""


class ShapeError(XentError, ValueError):
    """Shapes that do not fit."""


class AxisError(ShapeError, IndexError):
    """An axis that the array does not have."""


class OneClassError(ShapeError):
    """A softmax over one class is always 1: its cross-entropy is 0 whatever the model says."""


class DataError(XentError, ValueError):
    """A value in the data cannot be what it was declared to be."""


class LabelError(DataError, IndexError):
    """A label outside the classes."""


class ProbabilityError(DataError):
    """A probability outside [0, 1], or NaN; a log-probability above 0."""


class NormalizationError(ProbabilityError):
    """Probabilities that do not sum to one."""


class WeightError(DataError):
    """A weight that is negative, infinite or NaN."""


class SoftTargetError(DataError):
    """A shaping that has several readings for soft targets was given one."""


class EmptyError(XentError, ValueError):
    """A mean over nothing, where ``empty="raise"`` was asked for."""


class NoEqualError(XentError, LookupError):
    """There is no equal call in another framework."""


class KernelError(XentError, RuntimeError):
    """No kernel takes this input."""


class MissingExtraError(XentError, ImportError):
    """An optional dependency is not installed."""


class InputError(XentError, ValueError):
    """A file to evaluate cannot be used."""


class UnreadableFileError(InputError, OSError):
    """A file is missing, truncated, or not of the format that its name says."""


class ColumnError(InputError, LookupError):
    """A column that is not in the file."""
