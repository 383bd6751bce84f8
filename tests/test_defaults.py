"""The defaults of everything public, against a table: scripts rely on them, and most have no other test."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import centerloss_mx

import mxnet as mx

NOT_GIVEN = centerloss_mx.io.Preprocessing()

DEFAULTS = {
    'callback.ProgressBar': {'description': '', 'initial': 0, 'frequent': 20},
    'dataset.as_arrays': {'layout': None},
    'dataset.hold_out': {'seed': 0, 'by': 'samples'},
    'dataset.load_arrays': {'layout': None, 'labelled': True},
    'dataset.SourceOptions': {
        'layout': None, 'image_size': None, 'fit': None, 'mean': None, 'std': None, 'label_column': None,
        'min_images': 1, 'skip_bad': False, 'test': None, 'test_share': 0.2, 'split': 'samples',
        'test_column': None,
    },
    'dataset.load_pairs': {'names': None},
    'dataset.load_samples': {
        'part': None, 'class_names': None, 'min_classes': 1, 'layout': None, 'image_size': None, 'fit': None,
        'mean': None, 'std': None, 'label_column': None, 'min_images': 1, 'test_column': None,
        'labelled': True,
    },
    'dataset.load_table': {'label_column': None, 'labelled': True, 'test_column': None},
    'dataset.pack': {'progress': False},
    'dataset.read_npz': {'optional': ()},
    'dataset.samples_iter': {
        'image_size': None, 'shuffle': False, 'rand_mirror': False, 'ignore_label': None,
        'augmentation': None, 'samples_per_class': None,
    },
    'evaluation.Retrieval': {
        'recall_at_1': None, 'recall_at_10': None, 'recall_at_100': None, 'recall_at_1000': None,
        'macro_precision_at_1': None, 'macro_r_precision': None, 'macro_map_at_r': None,
        'macro_recall_at_1': None, 'macro_recall_at_10': None, 'macro_recall_at_100': None,
        'macro_recall_at_1000': None,
    },
    'evaluation.clustering_nmi': {'seed': 0, 'progress': False},
    'evaluation.confused_pairs': {'num_pairs': 15},
    'evaluation.identify': {'metric': 'cosine', 'progress': False},
    'evaluation.knn_predict': {'num_neighbors': 5, 'metric': 'cosine'},
    'evaluation.nearest_center': {'metric': 'euclidean'},
    'evaluation.nearest_identities': {'metric': 'cosine'},
    'evaluation.reid': {'metric': 'cosine', 'rerank': False, 'progress': False},
    'evaluation.reranked_distances': {'metric': 'cosine', 'k1': 20, 'k2': 6, 'weight': 0.3},
    'evaluation.retrieval': {
        'metric': 'cosine', 'references': None, 'reference_labels': None, 'progress': False,
    },
    'evaluation.score_queries': {
        'metric': 'cosine', 'references': None, 'reference_labels': None, 'progress': False,
    },
    'evaluation.suspects': {'metric': 'cosine'},
    'evaluation.verification_pairs': {'num_folds': 10, 'num_pairs': 300, 'seed': 0},
    'evaluation.verify': {'metric': 'cosine', 'num_components': None},
    'gluon.CenterLoss': {
        'alpha': 0.5, 'scale': 1.0, 'normalization': 'null', 'use_ignore': False, 'ignore_label': -1,
        'update': 'paper',
    },
    'gluon.CenterLoss.forward': {'sample_weight': None},
    'gluon.CenterLoss.hybrid_forward': {'sample_weight': None, 'center_bias': None},
    'io.Augmentation': {
        'rand_crop': False, 'rand_mirror': False, 'brightness': 0.0, 'contrast': 0.0, 'saturation': 0.0,
        'rand_erasing': 0.0,
    },
    'io.CenterLossIter': {'label_names': ('softmax_label', 'center_label'), 'ignore_label': None},
    'io.ClassBalancedIter': {'data_name': 'data', 'label_name': 'softmax_label'},
    'io.Images': {
        'files': None, 'path_imgrec': None, 'records': None, 'contents': None, 'preprocessing': NOT_GIVEN,
    },
    'io.Preprocessing': {'size': None, 'fit': None, 'mean': None, 'std': None},
    'io.image_iter': {
        'image_size': None, 'shuffle': False, 'rand_mirror': False, 'ignore_label': None,
        'augmentation': None, 'num_threads': None, 'samples_per_class': None,
    },
    'io.list_images': {'class_names': None, 'min_classes': 2, 'label_column': None, 'labelled': True},
    'io.load_mnist': {'data_dir': None},
    'io.mnist_iter': {'shuffle': False, 'ignore_label': None},
    'launch.launch': {'port': None, 'timeout': 30},
    'launch.main': {'arguments': None},
    'metric.Accuracy': {
        'axis': 1, 'name': 'accuracy', 'output_names': ('softmax_output',),
        'label_names': ('softmax_label',), 'ignore_label': None,
    },
    'metric.CenterLossMetric': {
        'normalization': 'batch', 'name': 'center_loss', 'output_names': ('center_loss_output',),
        'label_names': ('center_label',), 'ignore_label': None,
    },
    'model.FeatureExtractor': {'layer': None, 'ctx': None, 'data_name': 'data'},
    'model.FeatureExtractor.predict': {
        'batch_size': 128, 'image_size': None, 'flip': False, 'progress': False,
    },
    'model.Features': {
        'names': None, 'centers': None, 'trained_on': None, 'network': None, 'checkpoint': None,
        'training_settings': None,
    },
    'model.centers_to_aux': {'name': 'center_loss'},
    'model.centers_to_kvstore': {'name': 'center_loss'},
    'model.export_onnx': {'layer': None, 'data_shape': None, 'data_name': 'data'},
    'model.feature_extractor': {'epoch': None, 'layer': None, 'ctx': None, 'data_name': 'data'},
    'model.find_centers': {'name': None},
    'model.load_checkpoint': {'epoch': None, 'batchsize': None},
    'model.noted': {'data_name': 'data'},
    'model.load_features': {'labelled': False},
    'model.save_checkpoint': {'notes': None},
    'model.remove_checkpoints': {'keep': None},
    'model.start_centers': {
        'num_batches': 20, 'name': None, 'label_name': None, 'ignore_label': None, 'output': None,
    },
    'model_zoo.get_model': {'layer': 'embedding_output', 'thumbnail': None},
    'model_zoo.load_params': {'data_shape': (3, 224, 224)},
    'module.Module.bind': {'label_shapes': None, 'for_training': True},
    'module.Module.load': {'epoch': None, 'load_optimizer_states': False, 'batchsize': None},
    'module.Module.init_params': {
        'initializer': '["uniform", {"scale": 0.01}]', 'arg_params': None, 'aux_params': None,
        'allow_missing': False, 'force_init': False, 'allow_extra': False,
    },
    'module.Module.set_params': {'allow_missing': False, 'force_init': True, 'allow_extra': False},
    'module.Module.init_optimizer': {
        'kvstore': 'local', 'optimizer': 'sgd', 'optimizer_params': (('learning_rate', 0.01),),
        'force_init': False,
    },
    'module.Module.forward': {'is_train': None},
    'module.Module.backward': {'out_grads': None},
    'operator.CenterLossParam': {
        'alpha': 0.5, 'scale': 1.0, 'batchsize': None, 'normalization': 'batch', 'use_ignore': False,
        'ignore_label': -1, 'update': 'paper',
    },
    'optimizer.Centers': {
        'base': 'sgd', 'alpha': 0.5, 'update': 'paper', 'sym': None, 'param_idx2name': None,
        'table_keys': (),
    },
    'row_table.RowTable': {'dtype': 'float32', 'block_rows': None},
    'row_table.block_keys': {'dtype': 'float32', 'block_rows': None},
    'row_table.normal_rows': {'dtype': 'float32', 'seed': 0, 'sigma': 0.01},
    'row_table.zeros': {'dtype': 'float32'},
    'symbol.CenterLossInfo': {'batch_states': (), 'output': None, 'scale': None},
    'symbol.RowTableInfo': {'num_sampled': None, 'output': None, 'seed': 0},
    'symbol.center_loss': {
        'alpha': 0.5, 'scale': 1.0, 'batchsize': None, 'normalization': 'batch', 'use_ignore': False,
        'ignore_label': -1, 'update': 'paper', 'name': 'center_loss',
    },
    'symbol.classifier': {
        'kind': 'softmax', 's': 64.0, 'margins': (1.0, 0.5, 0.0), 'smooth_alpha': 0.0, 'neck': None,
        'use_ignore': False, 'ignore_label': -1, 'normalize_features': True, 'name': 'softmax',
    },
    'symbol.contrastive_center_loss': {
        'scale': 1.0, 'delta': 1.0, 'lr_mult': 1.0, 'use_ignore': False, 'ignore_label': -1, 'name':
        'contrastive_center_loss',
    },
    'symbol.island_loss': {
        'scale': 1.0, 'inter_scale': 1.0, 'lr_mult': 1.0, 'use_ignore': False, 'ignore_label': -1,
        'name': 'island_loss',
    },
    'symbol.joint_supervision': {
        'alpha': None, 'softmax_label': None, 'center_label': None, 'centers': 'aux', 'embedding_dim':
        None, 'batchsize': None, 'use_ignore': False, 'ignore_label': -1, 'update': None,
        'classifier': None, 'triplet': None, 'normalize': False,
    },
    'symbol.large_margin_gaussian_mixture': {
        'scale': 0.1, 'margin': 1.0, 'covariance': 'identity', 'lr_mult': 1.0, 'use_ignore': False,
        'ignore_label': -1, 'name': 'gaussian_mixture',
    },
    'symbol.learned_center_loss': {
        'scale': 1.0, 'lr_mult': 1.0, 'dtype': 'float32', 'sparse_grad': True, 'use_ignore': False,
        'ignore_label': -1, 'name': 'learned_center_loss',
    },
    'symbol.sampled_classifier': {
        'num_sampled': None, 'sample_rate': None, 'kind': 'softmax', 's': 64.0, 'margins': (1.0, 0.5, 0.0),
        'smooth_alpha': 0.0, 'neck': None, 'use_ignore': False, 'ignore_label': -1,
        'normalize_features': True, 'seed': 0, 'dtype': 'float32', 'name': 'softmax',
    },
    'symbol.scale_variable': {'name': 'center_loss_scale'},
    'symbol.supervised': {
        'softmax_label': None, 'center_label': None, 'classifier': None, 'triplet': None, 'normalize': False,
    },
    'symbol.sync_center_loss': {
        'scale': 1.0, 'normalization': 'null', 'use_ignore': False, 'ignore_label': -1, 'dtype':
        'float32', 'name': 'center_loss', 'centers': 'kvstore',
    },
    'symbol.triplet_loss': {
        'scale': 1.0, 'margin': None, 'use_ignore': False, 'ignore_label': -1, 'name': 'triplet_loss',
    },
    'training.ScaleSchedule': {'name': None},
    'training.Training': {
        'test': None, 'title': 'training', 'batch_size': 32, 'num_epoch': 1, 'optimizer': 'sgd',
        'optimizer_params': {'learning_rate': 0.01}, 'seed': 0, 'context': (mx.cpu(),), 'kvstore':
        'local', 'image_size': None, 'rand_mirror': False, 'initializer': None, 'arg_params': None,
        'aux_params': None, 'logger': None, 'hooks': (), 'augmentation': None,
        'samples_per_class': None, 'layer': 'embedding_output', 'start_centers': None, 'select': None,
    },
    'training.Validation': {'name': 'validation'},
    'training.Training.fit': {
        'prefix': None, 'history': None, 'begin_epoch': 0, 'on_epoch': None, 'on_begin': None,
    },
    'training.cosine': {'begin_epoch': 0},
    'training.keep_options': {'resume': False, 'leads': True},
    'training.lr_schedule': {'begin_epoch': 0, 'warmup': None, 'steps': (), 'factor': 0.1},
    'training.remove_checkpoints': {'keep': None},
    'training.sgd': {'begin_epoch': 0, 'momentum': 0.9},
    'visualization.Curve': {'error': None},
    'visualization.CurvePanel': {'ticks': None},
    'visualization.Panel': {'centers': None, 'center_labels': None},
    'visualization.class_accuracy_figure': {'num_rows': 40, 'num_pairs': 15},
    'visualization.embedding_figure': {
        'limit': None, 'columns': None, 'projection': 'pca', 'class_names': None,
        'highlight': None,
    },
    'visualization.embedding_page': {
        'class_names': None, 'names': None, 'pictures': None, 'projection': 'pca', 'highlight': None,
    },
    'visualization.roc_figure': {'least': 0.001, 'title': 'Verification of people that were not trained on'},
    'visualization.save_animation': {'seconds': 0.7},
    'visualization.thumbnails': {'side': 64},
}  # fmt: skip

NO_CONTRACT = {'cli', 'reference', 'rows'}
MODULES = [
    found.name
    for found in pkgutil.iter_modules(centerloss_mx.__path__)
    if not found.name.startswith('_') and found.name not in NO_CONTRACT
]


def defaults(function):
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # of an exception: it is C's
        parameters = ()
    found = {one.name: one.default for one in parameters if one.default is not one.empty}
    return {name: value.dumps() if hasattr(value, 'dumps') else value for name, value in found.items()}


def public_defaults(module):
    """Those of the module's functions, and of its classes and their own public methods."""
    found = {}
    for name in module.__all__:
        member = getattr(module, name)
        if callable(member):
            found[name] = defaults(member)
        for method, function in vars(member).items() if inspect.isclass(member) else ():
            function = getattr(function, '__func__', function)  # of static and class methods
            if inspect.isfunction(function) and not method.startswith('_'):
                found[f'{name}.{method}'] = defaults(function)
    return {name: values for name, values in found.items() if values}


def test_every_public_default_is_the_one_in_the_table():
    found = {
        f'{name}.{member}': values
        for name in MODULES
        for member, values in public_defaults(importlib.import_module(f'centerloss_mx.{name}')).items()
    }
    assert found == DEFAULTS
