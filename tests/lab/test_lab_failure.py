"""A lab whose own parts fail says so in one line and ends; it does not go on half broken."""

import json
import os
import subprocess
import sys

from kubernetes import client, config

from tests.lab.running_lab import END_SECONDS, START_SECONDS, read_line

# A lab whose scheduler cannot bear one pod.
PROGRAM = """
import sys
from pytest_aksnet.lab.controllers.scheduler import Scheduler
place = Scheduler._place
def brittle(self, pod):
    if pod["metadata"]["name"] == "boom":
        raise KeyError("what nobody thought of")
    return place(self, pod)
Scheduler._place = brittle
from pytest_aksnet.lab.cli import main
sys.exit(main())
"""


def test_a_control_loop_that_fails_ends_the_lab() -> None:
    life_read, life_write = os.pipe()
    ready_read, ready_write = os.pipe()
    process = subprocess.Popen(
        [
            *(sys.executable, "-c", PROGRAM, "serve"),
            *(f"--life-fd={life_read}", f"--ready-fd={ready_write}"),
        ],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        pass_fds=(life_read, ready_write),
    )
    os.close(life_read)
    os.close(ready_write)
    try:
        said = json.loads(read_line(ready_read, START_SECONDS))
        api = config.new_client_from_config(said["kubeconfig"])
        container = {"name": "main", "image": "busybox:1"}
        pod = {"metadata": {"name": "boom"}, "spec": {"containers": [container]}}
        client.CoreV1Api(api).create_namespaced_pod("default", pod)
        _, errors = process.communicate(timeout=END_SECONDS)
        api.close()
        api.rest_client.pool_manager.clear()
    finally:
        process.kill()
        for fd in (life_write, ready_read):
            os.close(fd)
    assert process.returncode == 1
    line = "aksnet-lab: the lab failed: control loop Scheduler failed: KeyError: "
    assert [one for one in errors.splitlines() if one.startswith(line)]
