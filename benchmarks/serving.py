"""This service against others and against two hand-written limits, in one run.

    python -P benchmarks/serving.py                       all, three rounds: about 15 minutes
    python -P benchmarks/serving.py --quick               one short round of ours and the limits
    python -P benchmarks/serving.py --peers mosec,ray     some of them; none: ours and the limits
    python -P benchmarks/serving.py --engine onnx         peers on ONNX Runtime too

limit-ort     raw ASGI, ONNX Runtime in the event loop, nothing else
limit-torch   raw ASGI, torch eager in a thread, nothing else
peers         mosec, LitServe, BentoML, Ray Serve, MLServer, and FastAPI as tutorials have it, each
              in an environment of its own (made once, kept in the user's cache) and with the better
              of its settings, batching and none

All run the card's network (32 and 64 filters of 5x5 without padding, 1024 units) with one thread:
ours and limit-ort in ONNX Runtime, limit-torch in torch, peers in torch as their guides have it or,
as asked, in ONNX Runtime, which leaves only the servers to compare. The server is pinned to core 0,
the client (wrk) to core 1. Loads are one PNG of 28x28 a request from 1, 16 and 64 connections, and
256 images a request from two. Each answer is looked at. Rounds go A B C A B C; given are the median
and the range.
"""

import argparse
import os
import shutil
import sys

from benchmarks._serving.run import run


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--peers", default="all", help="names with commas, all or none")
    parser.add_argument("--engine", choices=("torch", "onnx"), default="torch", help="of peers")
    parser.add_argument("--quick", action="store_true", help="one round of a second, no peers")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3, help="of each load in each round")
    options = parser.parse_args()
    if shutil.which("wrk") is None or not hasattr(os, "sched_setaffinity"):
        sys.exit("this needs Linux, two cores and wrk (apt-get install wrk)")
    if len(os.sched_getaffinity(0)) < 2:
        sys.exit("this needs two cores: one for the server, one for wrk")
    if options.quick:
        options.peers, options.rounds, options.seconds = "none", 1, 1
    run(options.peers, options.engine, options.rounds, options.seconds)


if __name__ == "__main__":
    main()
