"""`centerloss-mx evaluate`."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from .. import evaluation
from ..model import load_features, write_whole
from .arguments import NOT_KEPT, PROGRAM, add_command, add_output, whole_number
from .output import check_output, print_table


def evaluate(args: argparse.Namespace) -> None:
    """Print the numbers of a protocol, and write them as JSON."""
    output = args.output or f'{os.path.splitext(args.features)[0]}-{args.protocol}.json'
    check_output(output, args.force, '.json')
    results = args.run(args)
    options = {name: value for name, value in vars(args).items() if name not in ('run', *NOT_KEPT)}
    text = json.dumps({'options': options, 'results': results}, default=str, indent=2)
    write_whole(output, lambda name: Path(name).write_text(text, encoding='utf-8'))
    print_table(f'{args.protocol}, {args.features}', results)


def evaluate_knn(args: argparse.Namespace) -> dict[str, Any]:
    """Classify features by their nearest neighbors, and by the nearest center, among others."""
    known, asked = load_features(args.train), load_features(args.features)
    classes = asked.classes
    others = int((~np.isin(classes, known.classes)).sum())
    if os.path.samefile(args.train, args.features):
        raise ValueError(f'{args.features}: TRAIN and FEATURES are one file; each sample would find itself')
    if others == len(classes):
        raise ValueError(f'{args.features}: no sample is of a class in {args.train}; expected the same names')

    def accuracy(predicted: np.ndarray) -> float:
        return float((predicted == classes).mean())

    voted = evaluation.knn_predict(
        known.features, known.classes, asked.features, args.num_neighbors, args.metric
    )
    mean_classes, means = evaluation.class_means(known.features, known.classes)
    nearest = evaluation.nearest_center(asked.features, means, args.metric)
    results = {
        'knn_accuracy': accuracy(voted),
        'nearest_mean_accuracy': accuracy(mean_classes[nearest]),
    }
    if asked.centers is not None:
        nearest = evaluation.nearest_center(asked.features, asked.centers, args.metric)
        results['nearest_center_accuracy'] = accuracy(np.array(asked.trained_on)[nearest])
    return {**results, 'num_samples': len(classes), 'num_samples_of_other_classes': others}


def evaluate_retrieve(args: argparse.Namespace) -> dict[str, Any]:
    """Let every sample find the others of its class."""
    features = load_features(args.features)
    return evaluation.retrieval(features.features, features.labels, args.metric)._asdict()


def evaluate_cluster(args: argparse.Namespace) -> dict[str, Any]:
    """How tight clusters are, and what k-means makes of them."""
    features = load_features(args.features)
    ratio = evaluation.cluster_ratio(features.features, features.labels)
    nmi = evaluation.clustering_nmi(features.features, features.labels, args.seed)
    return {'nmi': nmi, **ratio._asdict()}


def evaluate_verify(args: argparse.Namespace) -> dict[str, Any]:
    """Verify pairs by the LFW protocol."""
    if args.roc is not None:
        check_output(args.roc, args.force, '.png', '.svg')
    features = load_features(args.features)
    seen = None if features.trained_on is None else bool({*features.classes} & {*features.trained_on})
    if features.trained_on is None:
        print(f'{args.features} does not tell what its network was trained on: not checked', file=sys.stderr)
    elif not args.allow_trained:
        try:
            evaluation.check_unseen(np.unique(features.classes), features.trained_on)
        except ValueError as error:
            raise ValueError(f'{error}; --allow-trained verifies them all the same') from None
    pairs = evaluation.verification_pairs(features.classes, args.num_folds, args.num_pairs, args.seed)
    found = evaluation.verify(features.features, pairs, args.metric, args.num_components)
    if args.roc is not None:
        from ..visualization import roc_figure, save_figure

        title = 'Verification' + (' of classes that were not trained on' if seen is False else '')
        curves = {Path(args.features).stem: [(found.far, found.tar)]}
        least = 10.0 ** -max(1, int(math.log10(found.num_impostor)))  # one impostor pair at least
        save_figure(roc_figure(curves, least, title), args.roc)
    # JSON has null for what is not a number: TARs that the impostor pairs are too few for.
    tars = {f'tar_at_far_{one.far:g}': None if math.isnan(one.tar) else one.tar for one in found.tar_at_far}
    names = ('accuracy', 'standard_error', 'auc', 'eer')
    return {
        **{name: getattr(found, name) for name in names},
        **tars,
        'num_genuine': found.num_genuine,
        'num_impostor': found.num_impostor,
        'seen_in_training': seen,
    }


def add_evaluate(commands: Any) -> None:
    summary = 'tell how good features are'
    top = commands.add_parser(
        'evaluate',
        help=summary,
        description='Tell how good features are, by a protocol.',
        epilog=f'example: {PROGRAM} evaluate retrieve test.npz',
    )
    protocols = top.add_subparsers(dest='protocol', required=True, metavar='PROTOCOL')

    def protocol(name: str, run: Any, summary: str, example: str, with_metric: bool = True) -> Any:
        command = add_command(protocols, name, evaluate, summary, f'evaluate {name} {example}')
        command.set_defaults(run=run)
        if name == 'knn':
            command.add_argument(
                'train', metavar='TRAIN', help='.npz file of the features whose classes are known'
            )
        command.add_argument('features', metavar='FEATURES', help='.npz file of the features to evaluate')
        default = f'FEATURES-{name}.json'
        add_output(command, f'the JSON file to write (default: {default})', required=False)
        if with_metric:
            command.add_argument(
                '--metric',
                choices=evaluation.METRICS,
                default='cosine',
                help='the distance: cosine is usual for faces, Euclidean is what center loss is made of',
            )
        return command.add_argument

    add = protocol('knn', evaluate_knn, 'classify by nearest neighbors and centers', 'train.npz test.npz')
    add('--num-neighbors', type=whole_number(1), default=5, help='how many neighbors vote')
    protocol(
        'retrieve',
        evaluate_retrieve,
        'let every sample find its class: precision@1, R-precision, MAP@R',
        'test.npz',
    )
    add = protocol(
        'cluster', evaluate_cluster, 'how tight clusters are, and NMI of k-means', 'test.npz', False
    )
    add('--seed', type=whole_number(0, 2**32 - 1), default=0, help='of k-means')
    add = protocol(
        'verify', evaluate_verify, "verify pairs by LFW's protocol", 'faces.npz --roc faces-roc.png'
    )
    add('--num-folds', type=whole_number(2), default=10, help='folds, which have no class in common')
    add(
        '--num-pairs',
        type=whole_number(1),
        default=300,
        help='genuine pairs of a fold at most, and as many impostor pairs',
    )
    add(
        '--num-components',
        type=whole_number(1),
        help='project on principal components, fitted on the other folds',
    )
    add('--seed', type=whole_number(0, 2**32 - 1), default=0, help='of the folds and pairs')
    add('--allow-trained', action='store_true', help='verify classes, too, that the network was trained on')
    add('--roc', type=Path, metavar='FILE', help='the picture of the ROC curve to write, .png or .svg')
