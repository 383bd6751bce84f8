"""Faults of MXNet 1.9.1, and what this package does about them.

MXNet 1.9.1 is the last release of MXNet 1, so its faults stay. Each fault that takes code to avoid has one
function in these modules. Its docstring gives the symptom, what the function does about it, and a link to the
source that causes it. Faults that can only be refused have no function: the introduction of a module lists
them, with the place that refuses them. The rest of the package does not patch MXNet, and it does not use
MXNet's private names because of a fault.

A test for each fault shows that plain MXNet has it. If a test fails with another MXNet, that fault is mended,
and its function can go.

Two faults are handled before `import mxnet`, in `centerloss_mx._compat`. On NumPy 1.24 and later, MXNet needs
a name that NumPy has removed; on Python 3.12, it needs a package that Python has removed.

| https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/numpy/utils.py#L37 (numpy.bool)
| https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/numpy_op_fallback.py#L20 (distutils)
"""
