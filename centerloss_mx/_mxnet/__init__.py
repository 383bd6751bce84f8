"""Faults of MXNet 1.9.1 that the package works around, one function a fault.

Each docstring names the fault and its cause in MXNet's source, and what the function does about it. Nothing else
in the package patches MXNet or relies on its private names for a fault, and no fault is worked around twice.
"""
