"""What a linear model says of new rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import _check_sample_weight, _num_samples, check_is_fitted, validate_data

from xent.backends import find
from xent.core.predictions import Logits
from xent.core.scores import Scores
from xent.core.targets import Distribution, Indicators, Labels
from xent.functional.inference import at_inference
from xent.kernels.cpu import cpu
from xent.linear_model.truth import expected_of

Matrix = Any

_INT32 = np.iinfo(np.int32).max


def features_of(model: BaseEstimator, X: Matrix, *, reset: bool, dtype: Any = (np.float64, np.float32)) -> Matrix:
    """X as models take it, checked as scikit-learn does: rows in order, or CSR, with indices of 32 bits if they do."""
    kinds = list(dtype) if isinstance(dtype, tuple) else dtype
    X = validate_data(model, X, accept_sparse="csr", dtype=kinds, order="C", reset=reset)
    if issparse(X) and X.indices.dtype != np.int32 and max(X.nnz, *X.shape) <= _INT32:
        # SciPy gives many matrices indices of 64 bits, whatever their size. The caller's stays as it is.
        X = type(X)((X.data, X.indices.astype(np.int32), X.indptr.astype(np.int32)), shape=X.shape)
    return X


class LinearPredictor(ClassifierMixin, BaseEstimator):
    """Scores X·Wᵀ + b, and the probabilities and classes that follow."""

    classes_: Matrix
    coef_: Matrix
    intercept_: Matrix
    #: One column of scores for two classes, and not one a class.
    _single: bool = False
    #: Whether every column is a yes or no of its own.
    _independent: bool = False
    #: What the loss does to scores, of which a part stays when the model is used.
    _scores_of_loss: Scores | None = None

    def _scores(self, X: Matrix) -> Matrix:
        check_is_fitted(self)
        X = features_of(self, X, reset=False)
        z = np.asarray(X @ self.coef_.T + self.intercept_)
        return np.asarray(at_inference(self._scores_of_loss, Logits(z)).scores)

    def decision_function(self, X: Matrix) -> Matrix:
        """The scores X·Wᵀ + b (N, K); of two classes the second's less the first's (N,)."""
        z = self._scores(X)
        if self._single:
            return z[:, 0]
        return z[:, 1] - z[:, 0] if len(self.classes_) == 2 and not self._independent else z

    def predict_log_proba(self, X: Matrix) -> Matrix:
        """log q of every class (N, K), exact where q is 0 or 1 in floating point; of Indicators log of each yes."""
        z = self._scores(X)
        if self._independent:
            return -cpu.element_statistics(z, "logits")[0]
        if self._single:
            yes, no = cpu.element_statistics(z, "logits")
            return -np.concatenate([no, yes], axis=1)
        return -find(z).surprisals(z, "logits")

    def predict_proba(self, X: Matrix) -> Matrix:
        """q of every class (N, K); of Indicators the probability of each yes."""
        return np.exp(self.predict_log_proba(X))

    def predict(self, X: Matrix) -> Matrix:
        """The most likely class of each row; of Indicators 0 and 1 (N, K)."""
        z = self._scores(X)
        if self._independent:
            return (z > 0).astype(np.int64)
        return self.classes_[(z[:, 0] > 0).astype(np.intp) if self._single else z.argmax(axis=1)]

    def score(self, X: Matrix, y: Any, sample_weight: Any = None) -> float:
        """The share of rows whose class is predicted; of Indicators that of rows without a wrong column, as
        ``sklearn.metrics.accuracy_score`` counts them.

        Parameters
        ----------
        X : array or sparse matrix (N, D)
        y : array (N,), Labels or Indicators
            Class names; indices of ``classes_``, of which those to ignore do not count; yes or no, each 0 or 1.
        sample_weight : array (N,), optional

        Raises
        ------
        KindError
            A Distribution, or a truth of another kind than the model's.
        ShapeError, LabelError, ProbabilityError
            Of other rows or classes than the model's; an indicator between 0 and 1.
        ValueError
            What scikit-learn refuses, and a truth of which nothing counts.
        """
        check_is_fitted(self)
        if isinstance(y, (Labels, Distribution, Indicators)):
            y, counted = expected_of(y, _num_samples(X), self.classes_, independent=self._independent)
            if counted is not None:
                sample_weight = np.where(counted, _check_sample_weight(sample_weight, X, dtype=np.float64), 0.0)
                if not sample_weight.any():
                    raise ValueError("score(y, sample_weight): expected an example that counts, got none.")
        return float(super().score(X, y, sample_weight))
