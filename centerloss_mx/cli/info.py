"""`centerloss-mx info`."""

from __future__ import annotations

import os
import platform
from importlib import metadata

import mxnet as mx
import numpy as np

from .. import _compat
from ..operator import native
from .info_options import InfoOptions

FEATURES = {'several machines': 'DIST_KVSTORE', 'pictures in files': 'OPENCV'}

EXTRAS = {
    'examples': ('scikit-learn', 'matplotlib', 'Pillow', 'tqdm'),
    'html': ('bokeh',),
    'onnx': ('onnx', 'onnxruntime'),
    'tensorboard': ('tensorboardX',),
}


def info(options: InfoOptions) -> None:
    """Print versions, and which optional parts are available or missing."""
    features = mx.runtime.Features()
    without_cuda = '' if features.is_enabled('CUDA') else ' (MXNet is built without CUDA)'
    rows = {
        'centerloss_mx': _compat.VERSION,
        'Python': f'{platform.python_version()} on {platform.system()} {platform.machine()}',
        'MXNet': mx.__version__,
        'NumPy': np.__version__,
        'processors': str(os.cpu_count()),
        'GPUs': f'{mx.context.num_gpus()}{without_cuda}',
        'operator on the CPU': 'compiled kernel' if native.library else f'NumPy: the kernel {native.missing}',
        'operator elsewhere': 'operators of mx.nd',
    }
    for title, feature in FEATURES.items():
        available = features.is_enabled(feature)
        rows[title] = 'available' if available else f'missing: this MXNet is built without {feature}'
    for extra, packages in EXTRAS.items():
        for package in packages:
            try:
                rows[package] = metadata.version(package)
            except metadata.PackageNotFoundError:
                rows[package] = f"missing: pip install 'centerloss_mx[{extra}]'"
    for name, value in rows.items():
        print(f'{name:22} {value}')
