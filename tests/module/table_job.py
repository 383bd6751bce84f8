"""Train with row tables as one of several workers, with a checkpoint each epoch.

    python -m centerloss_mx.launch -n 2 -s 1 -- python tests/module/table_job.py PREFIX BEGIN [VICTIM EPOCH]

BEGIN: the epoch to go on from. VICTIM: `worker` or `server`, which is killed in the middle of EPOCH.
"""

from __future__ import annotations

import os
import signal
import sys

import centerloss_mx as cl

import kvstore_job as job
import mxnet as mx
from processes import processes

EPOCHS = 3


def main(prefix: str, begin: str, victim: str = '', epoch: str = '') -> None:
    kvstore = mx.kv.create('dist_sync')
    batches = cl.io.CenterLossIter(mx.io.NDArrayIter(*job.samples(), job.BATCH))
    symbol, first, begin_epoch = job.network('sampled'), job.parameters('sampled'), int(begin)
    if begin_epoch:
        symbol, first, _ = cl.model.load_checkpoint(prefix, begin_epoch)
    labels = ['softmax_label', 'center_label']
    module = cl.module.Module(symbol, label_names=labels, block_rows=job.BLOCK_ROWS)

    def kill(param):
        if victim and kvstore.rank == 1 and (param.epoch, param.nbatch) == (int(epoch), 4):
            ends = processes(os.environ['MARKER'], 'server').pop() if victim == 'server' else os.getpid()
            os.kill(ends, signal.SIGKILL)

    module.fit(
        cl.io.PartIter(batches, kvstore.rank, kvstore.num_workers),
        eval_metric=cl.metric.CenterLossMetric('null'),
        batch_end_callback=kill,
        epoch_end_callback=lambda epoch, *_: cl.model.save_checkpoint(module, prefix, epoch + 1),
        kvstore=kvstore,
        optimizer='centers',
        optimizer_params={'learning_rate': 0.1},
        arg_params=first,
        begin_epoch=begin_epoch,
        num_epoch=EPOCHS,
    )


if __name__ == '__main__':
    main(*sys.argv[1:])
