"""`CenterLossIter` around and inside MXNet's own iterators, and in its modules."""

import centerloss_mx.io as cio

import mxnet as mx
import numpy as np
import pytest
from label_iterators import array_iter, bucket_iter, epoch
from makers import png, random_pictures, write_idx

SEED = 20160911


def test_it_can_be_prefetched():
    prefetched = mx.io.PrefetchingIter(cio.CenterLossIter(array_iter(), ignore_label=-1))
    assert [desc.name for desc in prefetched.provide_label] == ['softmax_label', 'center_label']
    assert prefetched.batch_size == 4
    for _ in range(3):
        batches = epoch(prefetched)
        assert len(batches) == 3
        assert batches[-1] == (2, [8, 9, 0, 1], [8, 9, -1, -1])
        prefetched.reset()


def test_it_can_be_resized():
    resized = mx.io.ResizeIter(cio.CenterLossIter(array_iter(), ignore_label=-1), 5)
    assert [desc.name for desc in resized.provide_label] == ['softmax_label', 'center_label']
    for _ in range(2):
        batches = epoch(resized)
        assert [pad for pad, _, _ in batches] == [0, 0, 2, 0, 0]
        assert batches[2][2] == [8, 9, -1, -1]
        resized.reset()


@pytest.mark.parametrize('around', [lambda it: mx.io.ResizeIter(it, 3), mx.io.PrefetchingIter])
def test_it_wraps_resized_and_prefetched_iterators(around):
    wrapped = cio.CenterLossIter(around(array_iter()), ignore_label=-1)
    assert wrapped.batch_size == 4
    assert epoch(wrapped)[-1] == (2, [8, 9, 0, 1], [8, 9, -1, -1])


@pytest.mark.parametrize(
    'around',
    [lambda it: it, lambda it: mx.io.ResizeIter(it, 3), mx.io.PrefetchingIter],
    ids=['plain', 'resized', 'prefetched'],
)
def test_rolled_over_rows_are_samples_and_are_not_marked(around):
    wrapped = cio.CenterLossIter(around(array_iter(last_batch_handle='roll_over')), ignore_label=-1)
    batches = epoch(wrapped)
    wrapped.reset()
    batches += epoch(wrapped)
    # MXNet's pad counts the rows at the front here: 8 and 9, which were in no batch before.
    padded = [batch for batch in batches if batch[0]]
    assert padded
    assert all(batch == (2, [8, 9, 0, 1], [8, 9, 0, 1]) for batch in padded)


def test_it_wraps_the_mnist_iterator_of_mxnet(tmp_path):
    labels = np.arange(20, dtype='uint8') % 10
    write_idx(tmp_path / 'images', random_pictures(20, 28, 28)[..., 0])
    write_idx(tmp_path / 'labels', labels)
    native = mx.io.MNISTIter(
        image=str(tmp_path / 'images'),
        label=str(tmp_path / 'labels'),
        batch_size=8,
        shuffle=False,
        silent=True,
    )
    wrapped = cio.CenterLossIter(native, ignore_label=-1)
    assert [tuple(desc) for desc in wrapped.provide_label] == [
        ('softmax_label', (8,)),
        ('center_label', (8,)),
    ]
    for _ in range(2):
        # This iterator drops an incomplete last batch: 16 of 20.
        batches = list(wrapped)
        for side in (0, 1):
            served = np.concatenate([batch.label[side].asnumpy() for batch in batches])
            np.testing.assert_array_equal(served, labels[:16])
        assert batches[0].data[0].shape == (8, 1, 28, 28)
        wrapped.reset()


def csv_iter(tmp_path, **options):
    np.savetxt(str(tmp_path / 'data.csv'), np.arange(20).reshape(10, 2), delimiter=',', fmt='%d')
    np.savetxt(str(tmp_path / 'label.csv'), np.arange(10), fmt='%d')
    return mx.io.CSVIter(
        data_csv=str(tmp_path / 'data.csv'),
        data_shape=(2,),
        label_csv=str(tmp_path / 'label.csv'),
        batch_size=4,
        **options,
    )


def test_it_wraps_the_csv_iterator_of_mxnet(tmp_path):
    wrapped = cio.CenterLossIter(csv_iter(tmp_path, label_name='person'), ignore_label=-1)
    assert [tuple(desc) for desc in wrapped.provide_label] == [
        ('softmax_label', (4,)),
        ('center_label', (4,)),
    ]
    assert [desc.name for desc in wrapped.provide_data] == ['data']
    batches = list(wrapped)
    assert epoch(batches) == [
        (0, [0, 1, 2, 3], [0, 1, 2, 3]),
        (0, [4, 5, 6, 7], [4, 5, 6, 7]),
        (2, [8, 9, 0, 1], [8, 9, -1, -1]),
    ]
    assert [batch.index.tolist() for batch in batches] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 0, 1]]
    wrapped.reset()
    # round_batch=True, its default: the second epoch begins behind what padded the first.
    assert [softmax for _, softmax, _ in epoch(wrapped)] == [[2, 3, 4, 5], [6, 7, 8, 9]]


def test_stale_rows_of_the_csv_iterator_are_marked(tmp_path):
    wrapped = cio.CenterLossIter(csv_iter(tmp_path, round_batch=False), ignore_label=-1)
    assert epoch(wrapped)[-1][2] == [8, 9, -1, -1]


def test_the_native_iterators_can_be_walked_by_iter_next(tmp_path):
    wrapped = cio.CenterLossIter(csv_iter(tmp_path))
    labels = []
    while len(labels) < 9 and wrapped.iter_next():
        labels.append(wrapped.getlabel()[1].asnumpy().tolist())
    assert labels == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 0, 1]]


def record_iter(tmp_path, count=10, **options):
    records = mx.recordio.MXRecordIO(str(tmp_path / 'pictures.rec'), 'w')
    for i in range(count):
        records.write(
            mx.recordio.pack(mx.recordio.IRHeader(0, float(i), i, 0), png(np.full((8, 8), 10 * i, 'uint8')))
        )
    records.close()
    return mx.io.ImageRecordIter(
        path_imgrec=str(tmp_path / 'pictures.rec'),
        data_shape=(3, 8, 8),
        batch_size=4,
        preprocess_threads=1,
        **options,
    )


def test_it_wraps_the_image_records_of_mxnet(tmp_path):
    wrapped = cio.CenterLossIter(record_iter(tmp_path), ignore_label=-1)
    batches = list(wrapped)
    assert epoch(batches) == [
        (0, [0, 1, 2, 3], [0, 1, 2, 3]),
        (0, [4, 5, 6, 7], [4, 5, 6, 7]),
        (2, [8, 9, 0, 1], [8, 9, -1, -1]),
    ]
    assert batches[2].data[0].asnumpy()[:, 0, 0, 0].tolist() == [80, 90, 0, 10]


def test_image_records_without_round_batch_hide_their_padding(tmp_path):
    # The docstring warns of it: what this iterator calls pad=0 is half a batch of memory that nobody wrote.
    wrapped = cio.CenterLossIter(record_iter(tmp_path, round_batch=False), ignore_label=-1)
    batches = epoch(wrapped)
    assert len(batches) == 3
    assert batches[2][0] == 0
    assert batches[2][2][:2] == [8, 9]


def test_it_wraps_a_gluon_data_loader():
    from mxnet.contrib.io import DataLoaderIter

    samples = mx.gluon.data.ArrayDataset(np.zeros((10, 2), 'float32'), np.arange(10, dtype='int32'))
    wrapped = cio.CenterLossIter(DataLoaderIter(mx.gluon.data.DataLoader(samples, 4)), ignore_label=-1)
    # Its padding is memory that nobody wrote: only the marked label can be relied on.
    assert [center for _, _, center in epoch(wrapped)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, -1, -1]]


# Modules


def two_losses():
    """SoftmaxOutput on one label, least squares on the other, and the second label as it arrives."""
    data, center = mx.sym.Variable('data'), mx.sym.Variable('center_label')
    logits = mx.sym.FullyConnected(data, num_hidden=3, name='logits')
    value = mx.sym.FullyConnected(data, num_hidden=1, name='value')
    return mx.sym.Group(
        [
            mx.sym.SoftmaxOutput(logits, mx.sym.Variable('softmax_label'), name='softmax'),
            mx.sym.LinearRegressionOutput(value, mx.sym.Reshape(center, shape=(-1, 1)), name='regression'),
            mx.sym.BlockGrad(center, name='seen'),
        ]
    )


def one_hot_iter(count, batch_size=8, **options):
    """Sample i has class i % 3, and its data says so."""
    classes = np.arange(count) % 3
    return cio.CenterLossIter(
        mx.io.NDArrayIter(np.eye(3, dtype='float32')[classes], classes.astype('float32'), batch_size),
        **options,
    )


@pytest.mark.parametrize('around', [lambda it: it, mx.io.PrefetchingIter], ids=['plain', 'prefetched'])
def test_module_fits_scores_and_predicts_through_it(around):
    mx.random.seed(SEED)
    train, test = around(one_hot_iter(30)), around(one_hot_iter(10))
    module = mx.mod.Module(two_losses(), label_names=('softmax_label', 'center_label'))
    accuracy = mx.metric.Accuracy(output_names=['softmax_output'], label_names=['softmax_label'])
    error = mx.metric.MAE(output_names=['regression_output'], label_names=['center_label'])
    module.fit(
        train,
        eval_data=test,
        eval_metric=mx.metric.CompositeEvalMetric([accuracy, error]),
        optimizer_params={'learning_rate': 0.5},
        num_epoch=40,
    )
    scored = dict(module.score(test, mx.metric.CompositeEvalMetric([accuracy, error])))
    # Both losses learn, so both labels arrived: the class, and its number.
    assert scored['accuracy'] == 1.0
    assert scored['mae'] < 0.1
    softmax, regression, seen = module.predict(test)
    assert softmax.shape == (10, 3)
    assert regression.shape == (10, 1)
    assert seen.asnumpy().tolist() == [i % 3 for i in range(10)]


@pytest.mark.parametrize(
    'ignore_label, expected', [(None, [2, 0, 0, 1, 2, 0, 1, 2]), (-1, [2, 0] + [-1] * 6)]
)
def test_module_sees_the_marked_rows(ignore_label, expected):
    wrapped = one_hot_iter(10, ignore_label=ignore_label)
    module = mx.mod.Module(two_losses(), label_names=('softmax_label', 'center_label'))
    module.bind(wrapped.provide_data, wrapped.provide_label)
    module.init_params()
    for batch in wrapped:
        module.forward(batch, is_train=True)
    assert module.get_outputs()[2].asnumpy().tolist() == expected


def test_bucketing_module_fits_through_it():
    def sym_gen(_bucket_key):
        data = mx.sym.mean(mx.sym.Variable('data'), axis=1, keepdims=True)
        softmax = mx.sym.SoftmaxOutput(
            mx.sym.FullyConnected(data, num_hidden=2), mx.sym.Variable('softmax_label'), name='softmax'
        )
        seen = mx.sym.BlockGrad(mx.sym.Variable('center_label'), name='seen')
        return mx.sym.Group([softmax, seen]), ('data',), ('softmax_label', 'center_label')

    mx.random.seed(SEED)
    wrapped = cio.CenterLossIter(bucket_iter())
    module = mx.mod.BucketingModule(sym_gen, default_bucket_key=wrapped.default_bucket_key)
    accuracy = mx.metric.Accuracy(output_names=['softmax_output'], label_names=['softmax_label'])
    module.fit(wrapped, eval_metric=accuracy, optimizer_params={'learning_rate': 1.0}, num_epoch=40)
    assert dict(module.score(wrapped, accuracy))['accuracy'] == 1.0
