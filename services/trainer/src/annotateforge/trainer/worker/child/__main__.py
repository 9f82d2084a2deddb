"""Train what one order says: `python -m annotateforge.trainer.worker.child --reports FD --parent PID`.

The process dies with its parent. It ends with 0 after a TRAINED frame and with 1 after a FAILED one. Where
the order names several devices it starts a process like itself for each, and tells what they tell.
"""

import argparse
import faulthandler
import importlib
import os
import sys
import traceback

from annotateforge.trainer.worker.child import launch, network, place, tether
from annotateforge.trainer.worker.child.reporting import Reporting

_TRAINING = "annotateforge.trainer.worker.child.training"


def main() -> None:
    """Read the arguments, wait for the order, train, tell."""
    parser = argparse.ArgumentParser(prog="child")
    parser.add_argument("--reports", type=int, required=True, help="descriptor to write frames to")
    parser.add_argument("--parent", type=int, required=True, help="process id of the worker")
    parser.add_argument("--launches", action="store_true", help="the order will name several devices")
    arguments = parser.parse_args()
    os.set_inheritable(arguments.reports, False)
    faulthandler.enable()
    tether.die_with(arguments.parent)
    network.refuse()
    reporting = Reporting(arguments.reports)
    orders = tether.Orders()
    code = 1
    try:
        if not arguments.launches:
            # Seconds of imports, spent while the worker is still bringing the data set.
            importlib.import_module(_TRAINING)
        order = orders.get()
        if len(order.devices) > 1 and place.here() == place.ALONE:
            launch.train_together(order, reporting)
        else:
            from annotateforge.trainer.worker.child import training

            reporting.trained(training.train(order, reporting))
        code = 0
    except Exception as error:
        code = _tell(error, reporting)
    sys.stdout.flush()
    sys.stderr.flush()
    # All is written; tearing torch down in order would only take time.
    os._exit(code)


def _tell(error: Exception, reporting: Reporting) -> int:
    """Tell why the training failed; the exit code."""
    if isinstance(error, launch.Ended):
        if error.failure is not None:
            reporting.failed(error.failure)
        return error.exit_as_it_did()
    from annotateforge.trainer.worker.child.failures import describe
    from annotateforge.trainer.worker.child.group import lost_another

    traceback.print_exc()
    failure = describe(error)
    if failure.reason == "INTERNAL" and place.here() != place.ALONE and lost_another(error):
        return place.LOST_ANOTHER
    reporting.failed(failure)
    return 1


if __name__ == "__main__":
    main()
