"""Iterators that serve one label to both losses; MNIST; pictures in folders and .rec files.

Softmax and center loss read the same classes, but a symbol needs two label Variables, and a data iterator
of MXNet has one label. `CenterLossIter` serves the label of any iterator under both names:

>>> import mxnet as mx
>>> from centerloss_mx.io import CenterLossIter, load_mnist, mnist_iter
>>> records = mx.io.NDArrayIter(mx.nd.zeros((4, 2)), mx.nd.array([3, 1, 4, 1]), batch_size=2)
>>> [desc.name for desc in CenterLossIter(records).provide_label]
['softmax_label', 'center_label']

`load_mnist` returns MNIST as NumPy arrays: the 12,000 digits in the package, or all 70,000 from the four
files of MNIST. `mnist_iter` serves them:

>>> train_images, train_labels, test_images, test_labels = load_mnist()
>>> train = mnist_iter(train_images, train_labels, batch_size=100, shuffle=True)
>>> train.next().data[0].shape
(100, 1, 28, 28)

`list_images` lists the pictures in a folder of class folders, or in a .rec file. `image_iter` serves them:

>>> images = list_images('birds')  # doctest: +SKIP
>>> train = image_iter(images, batch_size=32, image_size=64, shuffle=True)  # doctest: +SKIP

`ClassBalancedIter`, and `image_iter` with `samples_per_class`, serve batches of P classes x K samples.
"""

from .._optional import with_progress
from .augmentation import Augmentation
from .center_loss_iter import CenterLossIter
from .class_balanced_iter import ClassBalancedIter
from .idx import read_idx
from .image_iter import image_iter
from .images import Images, readable_images
from .listing import list_images
from .mnist import load_mnist, mnist_iter
from .part_iter import PartIter
from .preprocessing import Preprocessing

__all__ = [
    'Augmentation',
    'CenterLossIter',
    'ClassBalancedIter',
    'Images',
    'PartIter',
    'Preprocessing',
    'image_iter',
    'list_images',
    'load_mnist',
    'mnist_iter',
    'read_idx',
    'readable_images',
    'with_progress',
]
