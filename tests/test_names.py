"""Public names keep their import path: those from before the layout with packages, and the contract."""

from __future__ import annotations

from importlib import import_module

import centerloss_mx

import mxnet as mx
import pytest

# `rows` is no public module any more: CHANGELOG says so.
NAMES = {
    '': """
        callback dataset evaluation gluon io metric model model_zoo module operator optimizer
        row_table symbol training
    """,
    'callback': """
        ProgressBar wait_for_centers
    """,
    'cli': """
        Help Parser readable run
    """,
    'dataset': """
        Arrays SOURCES Samples SourceOptions as_arrays has_parts hold_out load_arrays load_marks load_samples
        load_table numbered pack read_npz samples_iter split_by_names split_by_rows
    """,
    'evaluation': """
        BetweenClasses ClusterRatio Identification Pairs QueryScores ReId Retrieval Suspects TarAtFar
        TpirAtFpir Verification between_classes check_unseen class_accuracies class_means cluster_ratio
        clustering_nmi confused_pairs identify knn_predict nearest_center nearest_identities reid
        reranked_distances retrieval score_queries suspects verification_pairs verify
    """,
    'gluon': """
        CenterLoss ClassBalancedSampler
    """,
    'io': """
        Augmentation CenterLossIter ClassBalancedIter Images PartIter Preprocessing image_iter list_images
        load_mnist mnist_iter read_idx readable_images with_progress
    """,
    'launch': """
        JobError launch main
    """,
    'metric': """
        Accuracy CenterLossMetric
    """,
    'model': """
        FeatureExtractor Features best_checkpoint centers_to_aux centers_to_kvstore export_onnx
        feature_extractor find_centers internal_output latest_checkpoint load_checkpoint load_features
        load_symbol noted save_checkpoint save_features start_centers with_all_rows write_whole
    """,
    'model_zoo': """
        INITIALIZER NETWORKS get_model lenet lenet_plus_plus load_params mlp
    """,
    'module': """
        Module sparse_row_id_fn
    """,
    'operator': """
        CenterLoss CenterLossParam CenterLossPerSample CenterLossPerSampleProp CenterLossProp
    """,
    'optimizer': """
        Centers
    """,
    'reference': """
        batch_norm center_loss center_update cluster_ratio contrastive_center_loss island_loss
        joint_supervision_gradients large_margin_gaussian_mixture learned_center_loss margin_softmax
        normalizer psi softmax_cross_entropy triplet_loss
    """,
    'row_table': """
        RowTable block_keys check_lazy normal_rows sample_classes zeros
    """,
    'symbol': """
        LOSSES center_loss classifier contrastive_center_loss island_loss joint_supervision
        large_margin_gaussian_mixture learned_center_loss loss_options scale_variable supervised
        sampled_classifier sync_center_loss triplet_loss
    """,
    'training': """
        EarlyStopping Hook IGNORE_LABEL KV_STORES LR_SCHEDULES ScaleSchedule TensorBoard Training Validation
        check_workers contexts cosine keep_options lr_schedule num_batches read_history remove_checkpoints
        scale_warmup sgd
    """,
    'visualization': """
        Curve CurvePanel Panel class_accuracy_figure curve_figure embedding_figure embedding_page
        pairs_figure pictures_figure roc_figure save_animation save_figure save_page thumbnails
    """,
}
# Parts of the contract that no `__all__` had.
OTHERS = {
    'operator': 'CenterLossParam',
    'evaluation': 'METRICS',
    'symbol': 'describe CenterLossInfo',
    'launch': 'launch main',
    '__main__': 'main',
}


@pytest.mark.parametrize(
    ('module', 'name'),
    [(module, name) for table in (NAMES, OTHERS) for module in table for name in table[module].split()],
)
def test_the_name_is_where_it_was(module, name):
    found = import_module(f'centerloss_mx.{module}' if module else 'centerloss_mx')
    assert getattr(found, name) is not None
    assert module == '__main__' or name in found.__all__


def test_what_mxnet_registers_has_its_names():
    inputs = mx.sym.Variable('data'), mx.sym.Variable('label')
    for op_type in 'centerloss', '_centerloss_per_sample':
        loss = mx.sym.Custom(*inputs, op_type=op_type, num_class=2, name='c')
        assert loss.list_outputs() == ['c_output']
    assert isinstance(mx.metric.create('centerloss_accuracy'), centerloss_mx.metric.Accuracy)
    assert isinstance(mx.metric.create('center_loss'), centerloss_mx.metric.CenterLossMetric)
    assert mx.optimizer.Optimizer.opt_registry['centers'] is centerloss_mx.optimizer.Centers
