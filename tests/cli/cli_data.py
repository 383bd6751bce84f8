"""The data that the tests of the commands share: how many pictures, and how to train on them."""

CLASSES, EACH = 5, 9
TRAIN = ['--num-epochs', 2, '--embedding-dim', 3, '--batch-size', 8]
