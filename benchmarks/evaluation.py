"""Time and peak memory of the protocols of `evaluation` at the size of a large set.

    python -m benchmarks.evaluation      # about 7 minutes

100,000 features of 128 dimensions in float32, of 10,000 classes. Each protocol has a process of its own. Its
peak memory is that of the whole process: Python, the libraries and the features, too.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from typing import Any, Callable

from centerloss_mx import evaluation

import numpy as np

from .kvstore import peak_memory
from .machine import describe

N, D, C = 100_000, 128, 10_000
QUERIES = 3000  # of re-identification
SPREAD = 0.7  # of a class, in distances between class means


def samples(size: int, dim: int, num_class: int) -> tuple[np.ndarray, np.ndarray]:
    """Features of classes that overlap, float32, and their labels."""
    rng = np.random.RandomState(20161008)
    labels = rng.permutation(np.arange(size) % num_class)
    features = rng.randn(num_class, dim)[labels] + SPREAD * np.sqrt(2) * rng.randn(size, dim)
    return features.astype(np.float32), labels


def verify(features: np.ndarray, labels: np.ndarray) -> str:
    pairs = evaluation.verification_pairs(labels, num_folds=10, num_pairs=300)
    accuracy = evaluation.verify(features, pairs).accuracy
    return f'accuracy {accuracy:.4f} of {len(pairs.same):,} pairs'


def retrieve(features: np.ndarray, labels: np.ndarray) -> str:
    found = evaluation.retrieval(features, labels, progress=True)
    return f'MAP@R {found.map_at_r:.4f}, recall@1000 {found.recall_at_1000:.4f}'


def reid(features: np.ndarray, labels: np.ndarray) -> str:
    cameras = np.random.RandomState(0).randint(1, 7, len(labels))
    query = slice(QUERIES)
    found = evaluation.reid(
        features[query], labels[query], cameras[query], features, labels, cameras, progress=True
    )
    return f'mAP {found.map:.4f} of {QUERIES:,} queries'


def cluster_ratio(features: np.ndarray, labels: np.ndarray) -> str:
    between = evaluation.between_classes(evaluation.class_means(features, labels)[1])
    ratio = evaluation.cluster_ratio(features, labels)
    return f'ratio {ratio.ratio:.4f}; standard error of between {between.standard_error / between.mean:.4%}'


def nmi(features: np.ndarray, labels: np.ndarray) -> str:
    return f'NMI {evaluation.clustering_nmi(features, labels, progress=True):.4f}'


PROTOCOLS: dict[str, Callable[[np.ndarray, np.ndarray], str]] = {
    'verify': verify,
    'retrieve': retrieve,
    'reid': reid,
    'cluster ratio': cluster_ratio,
    'NMI': nmi,
}


def measure(name: str) -> dict[str, Any]:
    features, labels = samples(N, D, C)
    start = time.perf_counter()
    found = PROTOCOLS[name](features, labels)
    return {'seconds': time.perf_counter() - start, 'memory': peak_memory(), 'found': found}


def in_own_process(name: str) -> dict[str, Any]:
    command = [sys.executable, '-m', 'benchmarks.evaluation', '--protocol', name]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)  # the progress is shown
    if done.returncode:
        sys.exit(done.stdout)
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description='Measure time and peak memory of the protocols at size.')
    parser.add_argument('--protocol', choices=list(PROTOCOLS), help=argparse.SUPPRESS)  # in its own process
    args = parser.parse_args()
    if args.protocol:
        print(json.dumps(measure(args.protocol)))
        return
    print(describe('numpy', 'scikit-learn'))
    print(f'\nN = {N:,}, D = {D}, C = {C:,}\n{"":16}{"seconds":>10}{"peak, GB":>10}')
    for name in PROTOCOLS:
        found = in_own_process(name)
        print(f'{name:16}{found["seconds"]:10.1f}{found["memory"]:10.2f}  {found["found"]}')


if __name__ == '__main__':
    main()
