"""`centerloss-mx evaluate verify`: from options to numbers."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any, Mapping, Sequence

import numpy as np

from .. import evaluation
from ..dataset import load_pairs
from ..model import Features, load_features
from .verify_options import VerifyOptions


def verify(options: VerifyOptions) -> dict[str, Any]:
    """Verify pairs, drawn or given, by the LFW protocol; given ones by InsightFace's, too.

    'roc' among the results is the curve, to be drawn.
    """
    draw = options.draw()
    features = load_features(options.features, labelled=draw is not None)
    seen = _seen_in_training(options, features)
    if draw is not None:
        pairs = evaluation.verification_pairs(features.classes, *draw)
    else:
        pairs = load_pairs(str(options.pairs), features.names)
    found = evaluation.verify(features.features, pairs, options.metric, options.num_components)
    # JSON has no NaN: null stands for a TAR that the impostor pairs are too few for.
    tars = {f'tar_at_far_{one.far:g}': None if math.isnan(one.tar) else one.tar for one in found.tar_at_far}
    published = {} if options.pairs is None else _as_insightface(features, pairs)
    return {
        'accuracy': found.accuracy,
        'standard_error': found.standard_error,
        'auc': found.auc,
        'eer': found.eer,
        **tars,
        'num_genuine': found.num_genuine,
        'num_impostor': found.num_impostor,
        **published,
        'seen_in_training': seen,
        'roc': (found.far, found.tar),
    }


def draw_roc(
    path: Path,
    curves: Mapping[str, Sequence[tuple[np.ndarray, np.ndarray]]],
    results: Sequence[Mapping[str, Any]],
) -> None:
    """Draw the ROC curves of one file or several, of which `verify` has returned these results."""
    from ..visualization import roc_figure, save_figure  # matplotlib is an extra

    unseen = all(one['seen_in_training'] is False for one in results)
    title = 'Verification' + (' of classes that were not trained on' if unseen else '')
    num_impostor = min(one['num_impostor'] for one in results)
    least = 10.0 ** -max(1, int(math.log10(num_impostor)))  # one impostor pair at least
    save_figure(roc_figure(curves, least, title), path)


def _as_insightface(features: Features, pairs: evaluation.Pairs) -> dict[str, float]:
    """Return the figures that InsightFace prints, named as its own."""
    found = evaluation.insightface_verify(features.features, pairs)
    return {
        'insightface_accuracy': found.accuracy,
        'insightface_accuracy_std': found.accuracy_std,
        'insightface_tar_at_far_0.001': found.tar,
        'insightface_tar_at_far_0.001_std': found.tar_std,
        'insightface_far': found.far,
    }


def _seen_in_training(options: VerifyOptions, features: Features) -> bool | None:
    """Return whether the network was trained on one of the classes; None: the file does not say."""
    if not features.class_names:
        print(f'{options.features} has no classes: not checked whether they were trained on', file=sys.stderr)
        return None
    if features.trained_on is None:
        print(
            f'{options.features} does not record the training classes: not checked whether they occur in it',
            file=sys.stderr,
        )
        return None
    try:
        evaluation.check_unseen(np.unique(features.classes), features.trained_on)
    except ValueError as error:
        if options.allow_trained:
            return True
        raise ValueError(f'{error}, or pass --allow-trained') from None
    return False
