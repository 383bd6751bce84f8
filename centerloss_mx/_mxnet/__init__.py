"""Faults of MXNet 1.9.1, and what this package does about them.

Each entry names a fault of MXNet 1.9.1, what this package does about it, and the line that causes it. MXNet
1.9.1 is the last release of MXNet 1, so its faults stay. A fault that takes code to avoid has a function in
these modules. A fault that can only be refused has none: the introduction of a module lists it, with the code
that refuses it.

A test for each fault shows that plain MXNet has it. If a test fails with another MXNet, that fault is fixed,
and its function can go. The rest of the package does not patch MXNet, and it does not use MXNet's private
names because of a fault.

Two faults are handled before `import mxnet`, in `centerloss_mx._compat`. On NumPy 1.24 and later, MXNet needs
a name that NumPy has removed; on Python 3.12, it needs a package that Python has removed.

| https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/numpy/utils.py#L37 (numpy.bool)
| https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/numpy_op_fallback.py#L20 (distutils)
"""
