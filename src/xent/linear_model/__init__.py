"""Softmax and logistic regression by maximum likelihood: cross-entropy's oldest use.

Estimators with scikit-learn's interface on the kernels of this library. Needs the extra ``xent[sklearn]``.
"""

from xent.linear_model.estimator import LogisticRegression, SoftmaxRegression
from xent.linear_model.hypotheses import ChiSquareTest
from xent.linear_model.inference import Inference
from xent.linear_model.scaling import ConstantFeatureWarning
from xent.linear_model.separation import SeparationWarning
from xent.linear_model.storage import load, save

__all__ = [
    "ChiSquareTest",
    "ConstantFeatureWarning",
    "Inference",
    "LogisticRegression",
    "SeparationWarning",
    "SoftmaxRegression",
    "load",
    "save",
]
