"""The command line: train, embed, evaluate, plot, export, info.

    centerloss-mx train digits -o runs/digits
    centerloss-mx embed runs/digits digits -o digits.npz
    centerloss-mx evaluate retrieve digits.npz
    centerloss-mx plot digits.npz -o digits.png
    centerloss-mx export runs/digits -o digits.onnx
    centerloss-mx info

`python -m centerloss_mx` is the same. Exit status: 0 done; 1 failed, with one line on standard error that
says why; 2 called with arguments that cannot be used; 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import re
import sys
from importlib import metadata
from pathlib import Path
from typing import Any, Mapping, Sequence

import mxnet as mx
import numpy as np

from . import _compat, dataset, evaluation
from .cli import Help, Parser, readable, run
from .dataset import Samples, has_parts, hold_out, load_samples
from .io import Images
from .model import (
    FeatureExtractor,
    Features,
    export_onnx,
    find_centers,
    latest_checkpoint,
    load_checkpoint,
    load_features,
    save_features,
    write_whole,
)
from .model_zoo import INITIALIZER, NETWORKS, get_model, load_params
from .symbol import LOSSES, loss_options, supervised
from .training import (
    IGNORE_LABEL,
    KV_STORES,
    Training,
    check_workers,
    contexts,
    cosine,
    keep_options,
    num_batches,
    remove_checkpoints,
)

__all__ = ['main']

PROGRAM = 'centerloss-mx'
SOURCE_HELP = (
    f'{", ".join(dataset.SOURCES)}; a folder of class folders; a .rec file; an .npz file of images and '
    'labels (uint8 is brought to [0, 1]); an idx file, or a folder of those of MNIST'
)
# Of MXNet's: two for its tests; `centers` comes by way of --loss; one takes sparse gradients only; three fail
# where the learning rate falls to 0; and of the last, MXNet does not save all that a resumed training needs.
_NOT_FOR_TRAINING = {'test', 'ccsgd', 'centers', 'groupadagrad', 'ftml', 'ftrl', 'sgld', 'nadam'}
OPTIMIZERS = sorted({*mx.optimizer.Optimizer.opt_registry} - _NOT_FOR_TRAINING)
MOMENTA = ('sgd', 'nag')  # the optimizers that take a momentum


def train(args: argparse.Namespace) -> None:
    """Train a network with one of the losses; leave checkpoint, history and options behind."""
    last = _last_epoch(args)
    samples, test = _samples(args)
    _check_batch_size(args, len(samples.labels))
    _settle_image_size(args, samples)
    kvstore = mx.kv.create(args.kv_store) if args.kv_store.startswith('dist') else args.kv_store
    training = _training(args, samples, test, kvstore)
    if args.lr_schedule == 'cosine':
        batches = num_batches(samples, args.batch_size)
        training.optimizer_params.update(cosine(args.lr, batches, args.num_epochs, last))
    options = {name: value for name, value in vars(args).items() if name not in _NOT_KEPT}
    path = Path(f'{args.output}-options.json')
    if last:
        if not path.is_file():
            raise FileNotFoundError(f'--resume: {path} is not there; expected the options of the checkpoint')
        keep_options(path, options, resume=True, leads=training.leads)

    def begin() -> None:
        """Nothing has refused this training: now it takes the place of another."""
        if not last:
            remove_checkpoints(args.output)  # first, so that no --resume takes one for this training's
            keep_options(path, options)

    if training.leads:
        args.output.parent.mkdir(parents=True, exist_ok=True)
    training.fit(args.output, f'{args.output}-history.csv', last, on_begin=begin)
    if training.leads:
        told = {name: value for name, value in training.history[-1].items() if name in _TOLD}
        _print_table(f'{args.output}-{args.num_epochs:04d}.params', told)


def _check_batch_size(args: argparse.Namespace, num_samples: int) -> None:
    workers = check_workers(args.kv_store)
    if args.batch_size % workers or args.batch_size < workers * len(args.ctx):
        raise ValueError(
            f'--batch-size {args.batch_size}: expected a multiple of the {workers} workers, and one sample '
            'or more for each device'
        )
    if args.batch_size > num_samples:
        raise ValueError(
            f'--batch-size {args.batch_size}: expected {num_samples} or less, the samples to train with'
        )


_TOLD = ('train_accuracy', 'test_accuracy', 'own', 'between', 'ratio')
# What does not change the numbers, or may differ when a training is resumed.
_NOT_KEPT = ('command', 'function', 'debug', 'resume', 'force', 'output')


def _last_epoch(args: argparse.Namespace) -> int:
    """The epoch to go on from, 0 in a new training, which begins where nothing of another one is."""
    if args.output.name in ('', '..'):
        raise ValueError(
            f'--output {args.output}: expected the beginning of the names of files, not a folder'
        )
    last = latest_checkpoint(args.output)
    if args.resume and last is not None:
        return last
    if args.resume and check_workers(args.kv_store) > 1:
        raise FileNotFoundError(
            f'--resume: there is no checkpoint of {args.output}; every worker has to see the same --output'
        )
    names = [f'{last or 0:04d}.params', 'symbol.json', 'history.csv', 'options.json']
    there = [path for path in (f'{args.output}-{name}' for name in names) if os.path.lexists(path)]
    if there and not (args.resume or args.force):
        raise FileExistsError(f'{there[0]} is there already; --resume goes on, --force replaces it')
    return 0


def _samples(args: argparse.Namespace) -> tuple[Samples, Samples | None]:
    """The samples to train with, and those to test with."""
    samples = readable(load_samples(args.data, min_classes=2), args.skip_bad)
    if args.test is not None:
        part = 'test' if has_parts(args.test) else None
        return samples, readable(load_samples(args.test, part, samples.class_names, 2), args.skip_bad)
    if has_parts(args.data):
        return samples, load_samples(args.data, 'test', samples.class_names, 2)
    if not args.test_share:
        return samples, None
    try:
        return hold_out(samples, args.test_share, args.seed)
    except ValueError as error:
        raise ValueError(f'{args.data}: cannot hold out --test-share {args.test_share:g}: {error}') from None


def _settle_image_size(args: argparse.Namespace, samples: Samples) -> None:
    if isinstance(samples, Images):
        args.image_size = args.image_size or 64
    elif args.rand_mirror:
        raise ValueError(f'--rand-mirror: {args.data} holds arrays; only pictures in files can be mirrored')
    elif args.image_size is not None:
        raise ValueError(f'--image-size {args.image_size}: {args.data} holds arrays, which stay as they are')


def _training(
    args: argparse.Namespace, samples: Samples, test: Samples | None, kvstore: str | mx.kv.KVStore
) -> Training:
    grey = not isinstance(samples, Images) and samples.images.shape[1] == 1
    shape = (3, args.image_size, args.image_size) if isinstance(samples, Images) else samples.images.shape[1:]
    network = args.network or ('lenet' if grey else 'resnet18_v2')
    thumbnail = None if args.params is None else False
    embedding = get_model(network, args.embedding_dim, shape, args.layer, thumbnail)
    dim = embedding.infer_shape(data=(1, *shape))[1][0][1]
    loss, optimizer = _loss(args), _optimizer(args)
    if args.loss == 'sync_center_loss':
        optimizer['optimizer_params'].update(base=optimizer['optimizer'], **_moves(args))
        optimizer['optimizer'] = 'centers'
    symbol = supervised(embedding, len(samples.class_names), args.loss, dim, **loss)
    params = {}
    if args.params is not None:
        params = _fitting(load_params(network, args.params, shape), symbol, shape, args.params)
    return Training(
        symbol,
        samples,
        test,
        title=args.loss,
        batch_size=args.batch_size,
        num_epoch=args.num_epochs,
        seed=args.seed,
        context=args.ctx,
        kvstore=kvstore,
        image_size=args.image_size,
        rand_mirror=args.rand_mirror,
        initializer=None if network in NETWORKS else INITIALIZER,
        arg_params=params,
        aux_params=params,
        **optimizer,
    )


def _fitting(
    params: dict[str, mx.nd.NDArray], symbol: mx.sym.Symbol, data_shape: tuple[int, ...], path: Path
) -> dict[str, mx.nd.NDArray]:
    """The parameters that a network has in the same shape; another class layer, for one, is left out."""
    labels = {name: (1,) for name in symbol.list_arguments() if name.endswith('_label')}
    arguments, _, states = symbol.infer_shape(data=(1, *data_shape), **labels)
    shapes = dict(zip(symbol.list_arguments(), arguments))
    shapes.update(zip(symbol.list_auxiliary_states(), states))
    fitting = {name: value for name, value in params.items() if shapes.get(name) == value.shape}
    if not fitting:
        raise ValueError(f'{path}: the network has none of its parameters in the same shape')
    others = [name for name in params if name in shapes and name not in fitting]
    if others:
        print(f'{path}: left out, as the network has them in another shape: {", ".join(others)}')
    return fitting


def _loss(args: argparse.Namespace) -> dict[str, Any]:
    """The options of the loss: those given, and those that the training decides."""
    taken = loss_options(args.loss)
    decided = {
        'scale': 0.01,
        'batchsize': args.batch_size,
        'use_ignore': True,
        'ignore_label': IGNORE_LABEL,
        **_given(args),
    }
    moves = _moves(args) if args.loss == 'sync_center_loss' else ()
    unknown = [name for name in _given(args) if name not in (*taken, *moves)]
    if unknown:
        name, ours = unknown[0].replace('_', '-'), [name for name in LOSS_OPTIONS if name in (*taken, *moves)]
        raise ValueError(f'--{name}: not for {args.loss}, which takes {", ".join(ours) or "none of these"}')
    return {name: value for name, value in decided.items() if name in taken}


def _given(args: argparse.Namespace) -> dict[str, Any]:
    return {name: getattr(args, name) for name in LOSS_OPTIONS if getattr(args, name) is not None}


def _moves(args: argparse.Namespace) -> dict[str, Any]:
    """What tells the optimizer `centers` how centers move."""
    return {name: value for name, value in _given(args).items() if name in ('alpha', 'update')}


def _optimizer(args: argparse.Namespace) -> dict[str, Any]:
    with_momentum = args.optimizer in MOMENTA
    if args.lr is None:
        args.lr = 0.05 if with_momentum else 0.001
    params = {
        'learning_rate': args.lr,
        'wd': (0.0005 if with_momentum else 0) if args.wd is None else args.wd,
    }
    if with_momentum:
        params['momentum'] = 0.9 if args.momentum is None else args.momentum
    elif args.momentum is not None:
        raise ValueError(f'--momentum: not for {args.optimizer}, but for {" and ".join(MOMENTA)}')
    return {'optimizer': args.optimizer, 'optimizer_params': params}


def embed(args: argparse.Namespace) -> None:
    """Write the features of samples, with their classes and the network's centers."""
    _check_output(args.output, args.force, '.npz')
    symbol, arg_params, aux_params = load_checkpoint(*_checkpoint(args))
    extractor = FeatureExtractor(symbol, arg_params, aux_params, args.layer, args.ctx[0])
    if args.trained_classes and extractor.class_names is None:
        raise ValueError(f'--trained-classes: {args.prefix} does not tell what it was trained on')
    classes = extractor.class_names if args.trained_classes else None
    samples = _part(args, classes)
    pictures = isinstance(samples, Images)
    if extractor.pictures not in (None, pictures):
        kinds = {True: 'pictures in files, which are normalized', False: 'arrays, which are not'}
        raise ValueError(
            f'{args.data}: these are {kinds[pictures]}, but {args.prefix} was trained on '
            f'{kinds[not pictures]}; its features would be of something else'
        )
    data = samples if isinstance(samples, Images) else samples.images
    found = extractor.predict(data, args.batch_size, args.image_size, args.flip, progress=True)
    centers, trained_on = find_centers(arg_params, aux_params), extractor.class_names
    if found.ndim != 2:
        raise ValueError(f'{args.layer} has shape {found.shape}; expected (N, D), a feature for each sample')
    told = ''
    of_these = args.layer == 'embedding_output' and not args.flip and trained_on is not None
    if centers is not None and not of_these:
        centers, told = None, '; without the centers, which are of other features'
    names = samples.names if isinstance(samples, Images) else None
    features = Features(found, samples.labels, samples.class_names, names, centers, trained_on)
    save_features(args.output, features)
    count = len(np.unique(samples.labels))
    print(f'{args.output}: {len(found)} features of {found.shape[1]} dimensions, {count} classes{told}')


def _checkpoint(args: argparse.Namespace) -> tuple[str, int | None]:
    """Prefix and epoch; the name of a .params file tells both."""
    prefix = str(Path(args.prefix))
    match = re.fullmatch(r'(.+)-(\d{4})\.params', prefix)
    if match and args.epoch is None:
        return match.group(1), int(match.group(2))
    return prefix, args.epoch


def _part(args: argparse.Namespace, class_names: Sequence[str] | None) -> Samples:
    """The samples to embed; of a source without parts, those that `train` has held out, or the others."""
    if has_parts(args.data) or args.part is None:
        part = args.part or ('test' if has_parts(args.data) else None)
        return readable(load_samples(args.data, part, class_names), args.skip_bad)
    path = Path(f'{_checkpoint(args)[0]}-options.json')
    try:
        options = json.loads(path.read_text(encoding='utf-8'))
        names = ('data', 'test', 'test_share', 'seed', 'skip_bad')
        data, test, share, seed, skip_bad = (options[name] for name in names)
    except (OSError, KeyError, TypeError, ValueError):
        raise ValueError(f'--part {args.part}: {path} does not tell what train has held out') from None
    if Path(data).resolve() != Path(args.data).resolve() or test is not None or not share:
        raise ValueError(f'--part {args.part}: {path} does not tell that a part of {args.data} was held out')
    samples = readable(load_samples(args.data, None, class_names), args.skip_bad or skip_bad)
    return hold_out(samples, share, seed)[('train', 'test').index(args.part)]


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
        _check_output(args.roc, args.force, '.png', '.svg')
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
        from .visualization import roc_figure, save_figure

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


def evaluate(args: argparse.Namespace) -> None:
    """Print the numbers of a protocol, and write them as JSON."""
    output = args.output or f'{os.path.splitext(args.features)[0]}-{args.protocol}.json'
    _check_output(output, args.force, '.json')
    results = args.run(args)
    options = {name: value for name, value in vars(args).items() if name not in ('run', *_NOT_KEPT)}
    text = json.dumps({'options': options, 'results': results}, default=str, indent=2)
    write_whole(output, lambda name: Path(name).write_text(text, encoding='utf-8'))
    _print_table(f'{args.protocol}, {args.features}', results)


def _print_table(title: str, rows: Mapping[str, Any]) -> None:
    print(title)
    for name, value in rows.items():
        if value is None:
            shown = 'unknown' if name == 'seen_in_training' else 'too few pairs'
        elif isinstance(value, bool):
            shown = 'yes' if value else 'no'
        else:
            shown = f'{value:,}' if isinstance(value, int) else f'{value:.4f}'
        print(f'    {name.replace("_", " "):28} {shown:>13}')


def plot(args: argparse.Namespace) -> None:
    """Draw features side by side, in the plane."""
    from .visualization import Panel, embedding_figure, save_figure

    for path in args.output:
        _check_output(path, args.force, '.png', '.svg')
    sets = [load_features(path) for path in args.features]
    names = list(dict.fromkeys(name for features in sets for name in features.class_names))
    stems = [Path(path).stem for path in args.features]
    titles = args.titles or (stems if len(set(stems)) == len(stems) else args.features)
    if len(titles) != len(sets):
        raise ValueError(f'--titles: {len(titles)} of them, for {len(sets)} files of features')
    panels = []
    for title, features in zip(titles, sets):
        rows = np.arange(len(features.labels))
        if args.num_samples is not None and args.num_samples < len(rows):
            rows = np.random.RandomState(args.seed).permutation(rows)[: args.num_samples]
        number_of = np.array([names.index(name) for name in features.class_names])
        centers = None if args.no_centers else features.centers
        panels.append(Panel(title, features.features[rows], number_of[features.labels[rows]], centers))
    figure = embedding_figure(panels, projection=args.projection, class_names=names)
    for path in args.output:
        save_figure(figure, path)
    print(f'Look at {" and ".join(map(str, args.output))}')


def export(args: argparse.Namespace) -> None:
    """Write a checkpoint's network up to a layer as ONNX."""
    _check_output(args.output, args.force, '.onnx')
    export_onnx(*_checkpoint(args), args.output, args.layer, args.data_shape)
    print(f'{args.output}: {args.prefix} up to {args.layer}; ONNX Runtime computes from it what MXNet does')


def info(args: argparse.Namespace) -> None:
    """Print versions, and what there is and what is missing."""
    features = mx.runtime.Features()
    rows = {
        'centerloss_mx': _compat.VERSION,
        'Python': f'{platform.python_version()} on {platform.system()} {platform.machine()}',
        'MXNet': mx.__version__,
        'NumPy': np.__version__,
        'processors': str(os.cpu_count()),
        'GPUs': f'{mx.context.num_gpus()}'
        + ('' if features.is_enabled('CUDA') else ' (MXNet is built without CUDA)'),
        'operator on the CPU': "NumPy on the arrays' own memory",
        'operator elsewhere': 'operators of mx.nd',
    }
    for title, feature in FEATURES.items():
        there = features.is_enabled(feature)
        rows[title] = 'available' if there else f'missing: this MXNet is built without {feature}'
    for extra, packages in EXTRAS.items():
        for package in packages:
            try:
                rows[package] = metadata.version(package)
            except metadata.PackageNotFoundError:
                rows[package] = f"missing: pip install 'centerloss_mx[{extra}]'"
    for name, value in rows.items():
        print(f'{name:22} {value}')


FEATURES = {'several machines': 'DIST_KVSTORE', 'pictures in files': 'OPENCV'}
EXTRAS = {
    'examples': ('scikit-learn', 'matplotlib', 'Pillow', 'tqdm'),
    'onnx': ('onnx', 'onnxruntime'),
}


def _check_output(path: str | os.PathLike, force: bool, *endings: str) -> None:
    """Before the work is done, see that its result can be written."""
    path = Path(path)
    if path.exists() and not path.is_file():
        raise FileExistsError(f'{path} is no file, but {"a folder" if path.is_dir() else "a device or pipe"}')
    if path.suffix.lower() not in endings:
        raise ValueError(f'{path}: expected a file that ends in {" or ".join(endings)}')
    if path.exists() and not force:
        raise FileExistsError(f'{path} is there already; --force replaces it')
    if not path.parent.is_dir():
        raise FileNotFoundError(f'{path.parent} is not a folder; expected one to write {path.name} to')


def _whole(least: int, most: float = math.inf) -> Any:
    """An argument's type: a whole number within bounds."""

    def whole(text: str) -> int:
        number = int(text)
        if number < least:
            raise argparse.ArgumentTypeError(f'{number}: expected {least} or more')
        if number > most:
            raise argparse.ArgumentTypeError(f'{number}: expected {most} or less')
        return number

    whole.__name__ = 'whole number'
    return whole


def _number(least: float, below: float = math.inf, above: bool = False) -> Any:
    """An argument's type: a number within bounds; `above`: the lower one is left out."""

    def number(text: str) -> float:
        value = float(text)
        if not (least < value < below if above else least <= value < below):
            bounds = f'{"more than " if above else ""}{least:g}{"" if above else " or more"}'
            bounds += '' if below == math.inf else f', and less than {below:g}'
            raise argparse.ArgumentTypeError(f'{text}: expected {bounds}')
        return value

    return number


def _contexts(text: str) -> list[mx.Context]:
    try:
        return contexts(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _shape(text: str) -> tuple[int, ...]:
    shape = tuple(int(size) for size in text.split(','))
    if not all(size > 0 for size in shape):
        raise argparse.ArgumentTypeError(f'{text}: expected numbers > 0 with commas between them')
    return shape


# Of the losses: what each takes, and its argument.
LOSS_OPTIONS: dict[str, dict[str, Any]] = {
    'scale': {'type': _number(0), 'help': "weight of the loss, the paper's lambda (default: 0.01)"},
    'alpha': {'type': _number(0), 'help': 'step of running centers, 0 to 1 (default: 0.5)'},
    'update': {'choices': ('paper', 'moving_average'), 'help': 'how running centers move (default: paper)'},
    'lr_mult': {'type': _number(0), 'help': 'of learned centers, multiplies the learning rate (default: 1)'},
    'inter_scale': {'type': _number(0), 'help': 'of island_loss, the weight between centers (default: 1)'},
    'delta': {'type': _number(0), 'help': 'of contrastive_center_loss, in the denominator (default: 1)'},
    'margin': {'type': _number(0), 'help': 'of large_margin_gaussian_mixture (default: 1)'},
    'covariance': {'choices': ('identity', 'diagonal'), 'help': 'of the same (default: identity)'},
}


def parser() -> argparse.ArgumentParser:
    """The command line's parser.

    Returns
    -------
    argparse.ArgumentParser
    """
    top = Parser(
        prog=PROGRAM,
        description='Train with center loss, and evaluate, draw and deploy what was learned.',
        epilog=f'example: {PROGRAM} train digits -o runs/digits. Exit status: 0 done, 1 failed, 2 called '
        'with arguments that cannot be used, 130 interrupted.',
    )
    top.add_argument('--version', action='version', version=f'%(prog)s {_compat.VERSION}')
    commands = top.add_subparsers(dest='command', required=True, metavar='COMMAND')
    _add_train(commands)
    _add_embed(commands)
    _add_evaluate(commands)
    _add_plot(commands)
    _add_export(commands)
    _add_command(commands, 'info', info, 'versions, and what is there and what is missing', 'info')
    return top


def _add_command(
    commands: Any, name: str, function: Any, summary: str, example: str
) -> argparse.ArgumentParser:
    command = commands.add_parser(
        name,
        help=summary,
        description=f'{summary[0].upper()}{summary[1:]}.',
        epilog=f'example: {PROGRAM} {example}',
        formatter_class=Help,
    )
    command.add_argument('--debug', action='store_true', help='show where an error comes from')
    command.set_defaults(function=function)
    return command


def _add_output(command: argparse.ArgumentParser, summary: str, **options: Any) -> None:
    options = {'required': True, 'type': Path, 'metavar': 'FILE', **options}
    command.add_argument('-o', '--output', help=summary, **options)
    command.add_argument('--force', action='store_true', help='replace what is there already')


def _add_train(commands: Any) -> None:
    command = _add_command(
        commands, 'train', train, 'train a network with one of the losses',
        'train digits -o runs/digits --embedding-dim 2 --scale 0.1',
    )  # fmt: skip
    add = command.add_argument
    add('data', metavar='DATA', help=f'what to train with: {SOURCE_HELP}')
    _add_output(command, 'beginning of the names of what is written', metavar='PREFIX')
    add(
        '--test',
        metavar='DATA',
        help='what to test with; without it, the test part of DATA, or a share of it',
    )
    add('--test-share', type=_number(0, 1), default=0.2, help='share to hold out; 0: nothing is tested')
    add(
        '--image-size',
        type=_whole(1),
        help='height and width that pictures in files are brought to (default: 64)',
    )
    add('--rand-mirror', action='store_true', help='mirror pictures in files at random')
    add('--skip-bad', action='store_true', help='leave out pictures that cannot be decoded, and name them')
    group = command.add_argument_group('network').add_argument
    names = ', '.join(NETWORKS)
    group(
        '--network',
        help=f"{names}, a name of MXNet's gluon.model_zoo.vision, or a symbol in a .json file "
        '(default: lenet for grey arrays, else resnet18_v2)',
    )
    group(
        '--embedding-dim', type=_whole(1), default=128, help='length of a feature; a .json file has its own'
    )
    group('--layer', default='embedding_output', help='the output of a .json file that is the embedding')
    group(
        '--params',
        type=Path,
        metavar='FILE',
        help='.params file to start from: a checkpoint, or of the model zoo',
    )
    group = command.add_argument_group('loss').add_argument
    group(
        '--loss',
        choices=LOSSES,
        default='center_loss',
        metavar='LOSS',
        help=f'softmax alone, or the loss beside it: {", ".join(LOSSES)}',
    )
    for name, options in LOSS_OPTIONS.items():
        group(f'--{name.replace("_", "-")}', **options)
    group = command.add_argument_group('training').add_argument
    group(
        '--optimizer',
        choices=OPTIMIZERS,
        default='sgd',
        metavar='NAME',
        help=f'one of {", ".join(OPTIMIZERS)}',
    )
    group(
        '--lr', type=_number(0, above=True), help='learning rate (default: 0.05 for sgd and nag, else 0.001)'
    )
    group('--lr-schedule', choices=('cosine', 'constant'), default='cosine',
          help='cosine: warms up for an epoch, then falls to 0')  # fmt: skip
    group('--momentum', type=_number(0, 1), help='of sgd and nag (default: 0.9)')
    group('--wd', type=_number(0), help='weight decay (default: 0.0005 for sgd and nag, else 0)')
    group('--batch-size', type=_whole(1), default=32, help='samples a batch, over all devices and workers')
    group('--num-epochs', type=_whole(1, 9999), default=12, help='epochs')
    group('--seed', type=_whole(0, 2**32 - 1), default=1, help='of what is held out, weights and order')
    group('--ctx', type=_contexts, default='cpu', help='devices: cpu, gpu:0, cpu:0,cpu:1, ...')
    group(
        '--kv-store',
        choices=KV_STORES,
        default='local',
        help='dist_*: several workers, see centerloss_mx.launch',
    )
    group('--resume', action='store_true', help='go on after the last whole epoch, with the same options')


def _add_checkpoint(command: argparse.ArgumentParser) -> None:
    command.add_argument('prefix', metavar='PREFIX', help='of the checkpoint, as given to train')
    command.add_argument('--epoch', type=_whole(0, 9999), help='of the checkpoint (default: the last)')
    command.add_argument('--layer', default='embedding_output', help='output of the network to cut it off at')


def _add_embed(commands: Any) -> None:
    command = _add_command(
        commands, 'embed', embed, 'write the features of samples, with their classes',
        'embed runs/digits digits -o digits.npz',
    )  # fmt: skip
    add = command.add_argument
    _add_checkpoint(command)
    add('data', metavar='DATA', help=f'the samples: {SOURCE_HELP}')
    _add_output(command, 'the .npz file to write')
    add(
        '--part',
        choices=('train', 'test'),
        help='of digits and of a folder of idx files (default: test); of another source, what train has '
        'trained on or held out (default: all)',
    )
    add('--trained-classes', action='store_true',
        help='labels of a .rec file, and classes, are those of the training')  # fmt: skip
    add('--flip', action='store_true', help='append the feature of the mirrored sample')
    add('--image-size', type=_whole(1), help='height and width of pictures (default: that of the training)')
    add('--skip-bad', action='store_true', help='leave out pictures that cannot be decoded, and name them')
    add('--batch-size', type=_whole(1), default=128, help='samples at a time')
    add('--ctx', type=_contexts, default='cpu', help='device: cpu, gpu:0, ...')


def _add_evaluate(commands: Any) -> None:
    summary = 'tell how good features are'
    top = commands.add_parser(
        'evaluate',
        help=summary,
        description='Tell how good features are, by a protocol.',
        epilog=f'example: {PROGRAM} evaluate retrieve test.npz',
    )
    protocols = top.add_subparsers(dest='protocol', required=True, metavar='PROTOCOL')

    def protocol(name: str, run: Any, summary: str, example: str, with_metric: bool = True) -> Any:
        command = _add_command(protocols, name, evaluate, summary, f'evaluate {name} {example}')
        command.set_defaults(run=run)
        if name == 'knn':
            command.add_argument(
                'train', metavar='TRAIN', help='.npz file of the features whose classes are known'
            )
        command.add_argument('features', metavar='FEATURES', help='.npz file of the features to evaluate')
        default = f'FEATURES-{name}.json'
        _add_output(command, f'the JSON file to write (default: {default})', required=False)
        if with_metric:
            command.add_argument(
                '--metric',
                choices=evaluation.METRICS,
                default='cosine',
                help='the distance: cosine is usual for faces, Euclidean is what center loss is made of',
            )
        return command.add_argument

    add = protocol('knn', evaluate_knn, 'classify by nearest neighbors and centers', 'train.npz test.npz')
    add('--num-neighbors', type=_whole(1), default=5, help='how many neighbors vote')
    protocol(
        'retrieve',
        evaluate_retrieve,
        'let every sample find its class: precision@1, R-precision, MAP@R',
        'test.npz',
    )
    add = protocol(
        'cluster', evaluate_cluster, 'how tight clusters are, and NMI of k-means', 'test.npz', False
    )
    add('--seed', type=_whole(0, 2**32 - 1), default=0, help='of k-means')
    add = protocol(
        'verify', evaluate_verify, "verify pairs by LFW's protocol", 'faces.npz --roc faces-roc.png'
    )
    add('--num-folds', type=_whole(2), default=10, help='folds, which have no class in common')
    add(
        '--num-pairs',
        type=_whole(1),
        default=300,
        help='genuine pairs of a fold at most, and as many impostor pairs',
    )
    add('--num-components', type=_whole(1), help='project on principal components, fitted on the other folds')
    add('--seed', type=_whole(0, 2**32 - 1), default=0, help='of the folds and pairs')
    add('--allow-trained', action='store_true', help='verify classes, too, that the network was trained on')
    add('--roc', type=Path, metavar='FILE', help='the picture of the ROC curve to write, .png or .svg')


def _add_plot(commands: Any) -> None:
    command = _add_command(
        commands, 'plot', plot, 'draw features in the plane, with the centers',
        'plot softmax.npz center_loss.npz -o both.png',
    )  # fmt: skip
    add = command.add_argument
    add('features', nargs='+', metavar='FEATURES', help='.npz files, drawn side by side on one scale')
    _add_output(command, 'a picture to write, .png or .svg; several may be given', action='append')
    add(
        '--projection', choices=('pca', 'tsne'), default='pca', help='of features of more than two dimensions'
    )
    add('--titles', nargs='+', metavar='TITLE', help="of the features (default: the files' names)")
    add('--no-centers', action='store_true', help='draw no centers')
    add('--num-samples', type=_whole(2), help='draw that many at most, taken at random (default: all)')
    add('--seed', type=_whole(0, 2**32 - 1), default=0, help='of which are drawn')


def _add_export(commands: Any) -> None:
    command = _add_command(
        commands, 'export', export, 'write the network up to a layer as ONNX, checked in ONNX Runtime',
        'export runs/digits -o digits.onnx',
    )  # fmt: skip
    _add_checkpoint(command)
    _add_output(command, 'the .onnx file to write')
    command.add_argument(
        '--data-shape', type=_shape, metavar='C,H,W', help='of a sample (default: as in training)'
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str or None
        None: those of this process.

    Raises
    ------
    SystemExit
        With the exit status.
    """
    args = parser().parse_args(arguments)
    resumable = args.command == 'train'
    run(
        lambda: args.function(args),
        'interrupted; --resume with the same options goes on' if resumable else 'interrupted',
        PROGRAM,
        args.debug,
    )


if __name__ == '__main__':
    main()
