"""The names that networks of this package give to labels, layers and outputs."""

__all__ = [
    'CENTER_LABEL',
    'CLASS_LAYER',
    'EMBEDDING',
    'EMBEDDING_OUTPUT',
    'NECK',
    'NORMALIZED',
    'SOFTMAX_LABEL',
    'SOFTMAX_OUTPUT',
]

SOFTMAX_LABEL = 'softmax_label'
CENTER_LABEL = 'center_label'
EMBEDDING = 'embedding'
EMBEDDING_OUTPUT = f'{EMBEDDING}_output'
NECK = 'neck'
NORMALIZED = 'normalized'
CLASS_LAYER = 'fc2'
SOFTMAX_OUTPUT = 'softmax_output'
