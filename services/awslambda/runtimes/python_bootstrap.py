"""Starts a Python function: AWS's own runtime interface client on a bare interpreter."""

import os
import runpy
import site
import sys

# The interpreter runs without `site`, so that none of this machine's packages are in the way;
# what every Python program may expect of it is put back.
site.setquit()
site.setcopyright()
site.sethelper()

# As on AWS: the function's folder first, then the layers' and PYTHONPATH, the runtime's own last.
sys.path[0] = os.environ["LAMBDA_TASK_ROOT"]
sys.path.append(os.environ["LAMBDA_RUNTIME_DIR"])
# Log messages come framed, among the plain lines, so that one with many lines stays one event.
os.environ["_LAMBDA_TELEMETRY_LOG_FD"] = str(os.dup(1))
sys.argv = ["bootstrap", os.environ.get("_HANDLER", "")]

runpy.run_module("awslambdaric", run_name="__main__", alter_sys=False)
