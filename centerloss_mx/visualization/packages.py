"""The optional packages that pictures need; `__init__` imports this first, for one clear ImportError."""

from .._optional import require

for package in ('matplotlib', 'sklearn', 'PIL'):
    require(package, 'centerloss_mx.visualization')
