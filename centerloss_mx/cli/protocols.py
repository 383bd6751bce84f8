"""The protocols of `centerloss-mx evaluate`: from options to numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import evaluation
from ..model import Features, load_features
from .evaluate_options import ClusterOptions, KnnOptions, RetrieveOptions


def knn(options: KnnOptions) -> dict[str, Any]:
    """Classify features by their nearest neighbors, the nearest class mean and the nearest center."""
    known, unknown = (load_features(path, labelled=True) for path in (options.train, options.features))
    check_one_network(options.train, known, options.features, unknown)
    classes = unknown.classes
    num_other = int((~np.isin(classes, known.classes)).sum())
    if num_other == len(classes):
        raise ValueError(
            f'{options.features}: no sample is of a class in {options.train}; expected the same names'
        )

    def accuracy(predicted: np.ndarray) -> float:
        return float((predicted == classes).mean())

    voted = evaluation.knn_predict(
        known.features, known.classes, unknown.features, options.num_neighbors, options.metric
    )
    _check_none_is_known('TRAIN', options.train, known, options.features, unknown)
    mean_classes, means = evaluation.class_means(known.features, known.classes)
    nearest = evaluation.nearest_center(unknown.features, means, options.metric)
    results = {'knn_accuracy': accuracy(voted), 'nearest_mean_accuracy': accuracy(mean_classes[nearest])}
    if unknown.centers is not None:
        nearest = evaluation.nearest_center(unknown.features, unknown.centers, options.metric)
        results['nearest_center_accuracy'] = accuracy(np.array(unknown.trained_on)[nearest])
    return {**results, 'num_samples': len(classes), 'num_samples_of_other_classes': num_other}


def check_one_network(path: str, features: Features, other_path: str, other: Features) -> None:
    """Raise ValueError if the features of two files are known to be of different embeddings."""
    if None not in (features.network, other.network) and features.network != other.network:
        raise ValueError(
            f'{other_path} and {path} are features of different networks, layers or --flip; '
            'expected those of one embedding'
        )


def _check_none_is_known(option: str, path: str, known: Features, other_path: str, unknown: Features) -> None:
    """Raise ValueError if a sample would find itself."""
    if np.array_equal(known.features, unknown.features) and np.array_equal(known.classes, unknown.classes):
        raise ValueError(f'{other_path}: {option} and FEATURES are one file; each sample would find itself')
    rows = {name: row for row, name in enumerate(known.names or ())}
    for name, feature in zip(unknown.names or (), unknown.features):
        # Files of different folders may have one relative name: the features tell them apart.
        if name in rows and np.allclose(feature, known.features[rows[name]], rtol=1e-3):
            raise ValueError(f'{other_path}: {name} is in {path}, too; it would find itself')


def retrieve(options: RetrieveOptions) -> dict[str, Any]:
    """Retrieve, for each sample, the samples of its class."""
    features = load_features(options.features, labelled=True)
    known: dict[str, Any] = {}
    if options.references is not None:
        references = load_features(options.references, labelled=True)
        check_one_network(options.references, references, options.features, features)
        _check_none_is_known('--references', options.references, references, options.features, features)
        known = {'references': references.features, 'reference_labels': references.classes}
    found = evaluation.score_queries(
        features.features, features.classes, options.metric, **known, progress=True
    )
    return {**found.mean()._asdict(), 'classes': found.by_class()}


def cluster(options: ClusterOptions) -> dict[str, Any]:
    """Measure how tight clusters are, and how well k-means finds them."""
    features = load_features(options.features, labelled=True)
    ratio = evaluation.cluster_ratio(features.features, features.labels)
    between = evaluation.between_classes(evaluation.class_means(features.features, features.labels)[1])
    estimated = {}
    if between.standard_error:
        estimated = {'between_standard_error': between.standard_error, 'num_pairs': between.num_pairs}
    nmi = evaluation.clustering_nmi(features.features, features.labels, options.seed, progress=True)
    return {'nmi': nmi, **ratio._asdict(), **estimated}
