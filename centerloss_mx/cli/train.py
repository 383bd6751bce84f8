"""`centerloss-mx train`."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import mxnet as mx

from ..dataset import Samples, has_parts, hold_out, load_samples
from ..io import Images
from ..model import latest_checkpoint
from ..model_zoo import INITIALIZER, NETWORKS, get_model, load_params
from ..symbol import LOSSES, loss_options, supervised
from ..training import (
    IGNORE_LABEL,
    KV_STORES,
    Training,
    check_workers,
    cosine,
    keep_options,
    num_batches,
    remove_checkpoints,
)
from .arguments import NOT_KEPT, SOURCE_HELP, add_command, add_output, devices, number, whole_number
from .output import print_table
from .samples import readable

# Of MXNet's: two for its tests; `centers` comes by way of --loss; one takes sparse gradients only; three fail
# where the learning rate falls to 0; and of the last, MXNet does not save all that a resumed training needs.
_NOT_FOR_TRAINING = {'test', 'ccsgd', 'centers', 'groupadagrad', 'ftml', 'ftrl', 'sgld', 'nadam'}

OPTIMIZERS = sorted({*mx.optimizer.Optimizer.opt_registry} - _NOT_FOR_TRAINING)

MOMENTA = ('sgd', 'nag')  # the optimizers that take a momentum

_TOLD = ('train_accuracy', 'test_accuracy', 'own', 'between', 'ratio')


# Of the losses: what each takes, and its argument.
LOSS_OPTIONS: dict[str, dict[str, Any]] = {
    'scale': {'type': number(0), 'help': "weight of the loss, the paper's lambda (default: 0.01)"},
    'alpha': {'type': number(0), 'help': 'step of running centers, 0 to 1 (default: 0.5)'},
    'update': {'choices': ('paper', 'moving_average'), 'help': 'how running centers move (default: paper)'},
    'lr_mult': {'type': number(0), 'help': 'of learned centers, multiplies the learning rate (default: 1)'},
    'inter_scale': {'type': number(0), 'help': 'of island_loss, the weight between centers (default: 1)'},
    'delta': {'type': number(0), 'help': 'of contrastive_center_loss, in the denominator (default: 1)'},
    'margin': {'type': number(0), 'help': 'of large_margin_gaussian_mixture (default: 1)'},
    'covariance': {'choices': ('identity', 'diagonal'), 'help': 'of the same (default: identity)'},
}


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
    options = {name: value for name, value in vars(args).items() if name not in NOT_KEPT}
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
        print_table(f'{args.output}-{args.num_epochs:04d}.params', told)


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


def add_train(commands: Any) -> None:
    command = add_command(
        commands, 'train', train, 'train a network with one of the losses',
        'train digits -o runs/digits --embedding-dim 2 --scale 0.1',
    )  # fmt: skip
    add = command.add_argument
    add('data', metavar='DATA', help=f'what to train with: {SOURCE_HELP}')
    add_output(command, 'beginning of the names of what is written', metavar='PREFIX')
    add(
        '--test',
        metavar='DATA',
        help='what to test with; without it, the test part of DATA, or a share of it',
    )
    add('--test-share', type=number(0, 1), default=0.2, help='share to hold out; 0: nothing is tested')
    add(
        '--image-size',
        type=whole_number(1),
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
        '--embedding-dim',
        type=whole_number(1),
        default=128,
        help='length of a feature; a .json file has its own',
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
        '--lr', type=number(0, above=True), help='learning rate (default: 0.05 for sgd and nag, else 0.001)'
    )
    group('--lr-schedule', choices=('cosine', 'constant'), default='cosine',
          help='cosine: warms up for an epoch, then falls to 0')  # fmt: skip
    group('--momentum', type=number(0, 1), help='of sgd and nag (default: 0.9)')
    group('--wd', type=number(0), help='weight decay (default: 0.0005 for sgd and nag, else 0)')
    group(
        '--batch-size', type=whole_number(1), default=32, help='samples a batch, over all devices and workers'
    )
    group('--num-epochs', type=whole_number(1, 9999), default=12, help='epochs')
    group('--seed', type=whole_number(0, 2**32 - 1), default=1, help='of what is held out, weights and order')
    group('--ctx', type=devices, default='cpu', help='devices: cpu, gpu:0, cpu:0,cpu:1, ...')
    group(
        '--kv-store',
        choices=KV_STORES,
        default='local',
        help='dist_*: several workers, see centerloss_mx.launch',
    )
    group('--resume', action='store_true', help='go on after the last whole epoch, with the same options')
