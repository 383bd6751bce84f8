"""Threads decode pictures ahead: what is served, and which error is raised where, does not depend on them."""

from __future__ import annotations

import gc
import os
import random
import re
import subprocess
import sys
import textwrap
import threading
import time

import centerloss_mx.io as cio

import numpy as np
import pytest
from makers import random_pictures, write_folder

COUNT = 23


@pytest.fixture
def images(tmp_path):
    labels = [i % 3 for i in range(COUNT)]
    return cio.list_images(write_folder(tmp_path, labels, random_pictures(COUNT)))


def served(samples, count=None):
    """The next batches: their pictures, labels and padding."""
    batches = [samples.next() for _ in range(count)] if count else list(samples)
    return [(batch.data[0].asnumpy(), batch.label[0].asnumpy(), batch.pad) for batch in batches]


def assert_same(found, expected):
    assert len(found) == len(expected)
    for (data, labels, pad), (data_2, labels_2, pad_2) in zip(found, expected):
        np.testing.assert_array_equal(data, data_2)
        np.testing.assert_array_equal(labels, labels_2)
        assert pad == pad_2


def threads():
    return [thread for thread in threading.enumerate() if 'centerloss_mx decodes' in thread.name]


def wait_until_none(seconds=30):
    end = time.monotonic() + seconds
    while threads() and time.monotonic() < end:
        time.sleep(0.01)
    assert not threads()


def test_the_batches_of_two_epochs_are_the_same_for_any_number_of_threads(images):
    found = []
    for num_threads in 1, 2, 9:
        random.seed(1)
        samples = cio.image_iter(images, 5, 16, True, True, num_threads=num_threads)
        batches = served(samples)
        samples.reset()
        found.append(batches + served(samples))
    assert [pad for _, _, pad in found[0]] == [0, 0, 0, 0, 2] * 2
    assert_same(found[1], found[0])
    assert_same(found[2], found[0])


def test_python_s_generator_is_drawn_from_at_resets_only(images):
    samples = cio.image_iter(images, 5, 16, True, True)
    state = random.getstate()
    served(samples)
    assert random.getstate() == state
    samples.reset()
    assert random.getstate() != state


def test_the_error_of_a_picture_comes_in_its_batch(images):
    """Threads meet it while earlier batches are served; those behind it are served, too."""
    expected = served(cio.image_iter(images, 5, 16))
    bad = images.files[7]
    with open(bad, 'wb') as file:
        file.write(b'no picture')
    samples = cio.image_iter(images, 5, 16, num_threads=3)
    assert_same(served(samples, 1), expected[:1])
    time.sleep(0.1)
    with pytest.raises(ValueError, match=re.escape(f'{bad}: not a picture that MXNet can decode')):
        samples.next()
    assert_same(served(samples), expected[2:])


def test_a_reset_in_the_middle_begins_again(images):
    samples = cio.image_iter(images, 5, 16)
    expected = served(samples)
    samples.reset()
    served(samples, 2)
    samples.reset()
    assert_same(served(samples), expected)


def test_threads_end_with_the_epoch_and_with_the_iterator(images):
    gc.disable()  # they do not wait for the garbage collector
    try:
        samples = cio.image_iter(images, 2, 16, num_threads=3)
        assert not threads()  # none before the first batch
        served(samples)
        wait_until_none()
        samples.reset()
        served(samples, 1)
        assert threads()
        del samples
        wait_until_none()
    finally:
        gc.enable()


def test_a_forked_process_reads_on(images):
    expected = served(cio.image_iter(images, 5, 16))
    samples = cio.image_iter(images, 5, 16, num_threads=3)
    served(samples, 2)
    child = os.fork()
    if not child:
        try:
            assert_same(served(samples), expected[2:])
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    assert_same(served(samples), expected[2:])


@pytest.mark.slow
@pytest.mark.parametrize('end, status', [('', 0), ('raise KeyboardInterrupt', 130), ('sys.exit(3)', 3)])
def test_a_process_ends_while_threads_decode(images, end, status):
    program = f"""
        import sys
        import centerloss_mx.io as cio
        images = cio.list_images({os.path.dirname(os.path.dirname(images.files[0]))!r})
        samples = cio.image_iter(images, 2, 512, num_threads=4)
        samples.next()
        {end}
    """
    done = subprocess.run(
        [sys.executable, '-c', textwrap.dedent(program)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode in (status, -2 if status == 130 else status), done.stderr
    assert 'Fatal' not in done.stderr and 'terminate' not in done.stderr


def test_at_least_one_thread_is_needed(images):
    with pytest.raises(ValueError, match='num_threads=0 is not a whole number > 0'):
        cio.image_iter(images, 2, 8, num_threads=0)


@pytest.mark.slow
def test_a_thread_that_outlives_the_main_thread_reads_all_pictures(images):
    program = f"""
        import threading, time
        import centerloss_mx.io as cio
        samples = cio.image_iter(cio.list_images({os.path.dirname(os.path.dirname(images.files[0]))!r}), 2, 8)
        def work():
            time.sleep(0.5)
            samples.reset()
            print(len(list(samples)))
        threading.Thread(target=work).start()
    """
    done = subprocess.run(
        [sys.executable, '-c', textwrap.dedent(program)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0 and int(done.stdout) == -(-len(images.files) // 2), done.stderr


def test_threads_end_where_a_picture_has_raised_its_error(tmp_path):
    images = cio.list_images(write_folder(tmp_path, 'ab', [b'no picture', *random_pictures(1)]))
    gc.collect()
    gc.disable()
    try:
        samples = cio.image_iter(images, 1, 8, num_threads=2)
        with pytest.raises(ValueError, match='not a picture'):
            samples.next()
        del samples
        wait_until_none()
    finally:
        gc.enable()
