"""Train what one order says: `python -m annotateforge.trainer.worker.child --reports FD --parent PID`.

The process dies with its parent. It ends with 0 after a TRAINED frame and with 1 after a FAILED one.
"""

import argparse
import faulthandler
import os
import sys
import traceback

from annotateforge.trainer.worker.child import network, tether
from annotateforge.trainer.worker.child.reporting import Reporting


def main() -> None:
    """Read the arguments, wait for the order, train, tell."""
    parser = argparse.ArgumentParser(prog="child")
    parser.add_argument("--reports", type=int, required=True, help="descriptor to write frames to")
    parser.add_argument("--parent", type=int, required=True, help="process id of the worker")
    arguments = parser.parse_args()
    os.set_inheritable(arguments.reports, False)
    faulthandler.enable()
    tether.die_with(arguments.parent)
    network.refuse()
    reporting = Reporting(arguments.reports)
    orders = tether.read_orders()
    code = 1
    try:
        # Seconds of imports, spent while the worker is still bringing the data set.
        from annotateforge.trainer.worker.child import training

        reporting.trained(training.train(orders.get(), reporting))
        code = 0
    except Exception as error:
        traceback.print_exc()
        from annotateforge.trainer.worker.child.failures import describe

        reporting.failed(describe(error))
    sys.stdout.flush()
    sys.stderr.flush()
    # All is written; tearing torch down in order would only take time.
    os._exit(code)


if __name__ == "__main__":
    main()
