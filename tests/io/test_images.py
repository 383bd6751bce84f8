"""Pictures that cannot be decoded are found, left out, and never decoded to something."""

import centerloss_mx.io as cio
from centerloss_mx._mxnet.pictures import decode

import mxnet as mx
import numpy as np
import pytest
from makers import png, random_pictures, write_folder, write_records


@pytest.mark.parametrize('content', [b'', b'no picture'], ids=['empty', 'text'])
def test_pictures_that_cannot_be_decoded_are_left_out_where_asked_to(tmp_path, content):
    good = [png(pixels) for pixels in random_pictures(4)]
    pictures = [good[0], content, good[2], good[1], good[3], content]
    folder = write_folder(tmp_path / 'all', 'aaabbb', pictures)
    images, unreadable = cio.readable_images(cio.list_images(folder))
    assert unreadable == [str(folder / 'a' / '01.png'), str(folder / 'b' / '05.png')]
    path = write_records(tmp_path / 'train.rec', [0, 0, 0, 1, 1, 1], pictures)
    records, unreadable = cio.readable_images(cio.list_images(path))
    assert unreadable == [f'{path}: record 1', f'{path}: record 5']
    assert images.labels.tolist() == records.labels.tolist() == [0, 0, 1, 1]
    of_files, of_records = (list(cio.image_iter(source, 3, 8)) for source in (images, records))
    assert len(of_files) == len(of_records) == 2
    for expected, found in zip(of_files, of_records):
        np.testing.assert_array_equal(found.data[0].asnumpy(), expected.data[0].asnumpy())
        np.testing.assert_array_equal(found.label[0].asnumpy(), expected.label[0].asnumpy())
    again, unreadable = cio.readable_images(records)
    assert unreadable == [] and again.records == records.records
    label = [batch.label[0].asnumpy() for batch in cio.image_iter(records, 2, 8, shuffle=True)]
    assert sorted(np.concatenate(label)) == [0, 0, 1, 1]


def test_a_folder_of_none_but_bad_pictures_is_refused(tmp_path):
    folder = write_folder(tmp_path, 'ab', [b'no picture'] * 2)
    with pytest.raises(ValueError, match=r'none of the 2 pictures can be decoded; the first is .*00\.png'):
        cio.readable_images(cio.list_images(folder))


def test_a_png_that_is_cut_off_or_has_another_size_does_not_reach_mxnet(monkeypatch):
    """MXNet alone returns memory as it finds it for the one, and asks for 10 GB for the other."""
    complete = png(random_pictures(1)[0])
    assert complete.startswith(b'\x89PNG') and decode(complete).shape[2] == 3
    large = complete[:16] + (60000).to_bytes(4, 'big') * 2 + complete[24:]
    # What MXNet reads from behind the end differs from one time to the next; so it is not called at all.
    monkeypatch.setattr(mx.image, 'imdecode', lambda content: pytest.fail(f'decoded {content}'))
    for content in [large, complete[:-12], *(complete[:size] for size in range(60))]:
        with pytest.raises(RuntimeError, match='not a complete PNG'):
            decode(content)


def test_damaged_pixels_are_refused_when_they_are_decoded_not_when_they_are_used():
    complete = png(random_pictures(1)[0])
    begin = complete.index(b'IDAT') + 4
    damaged = complete[:begin] + bytes(100) + complete[begin + 100 :]
    later = mx.image.imdecode(damaged)  # no error: the engine has not decoded yet
    with pytest.raises(RuntimeError):
        later.wait_to_read()
    with pytest.raises(RuntimeError):
        decode(damaged)
