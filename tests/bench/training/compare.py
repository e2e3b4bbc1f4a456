#!/usr/bin/python3
"""Training speed against the tutorial's, in turns on the same machine.

    tests/bench/training/compare.py build/release/bin/digit-train DATA_DIR [--rounds 3] [--limit SECONDS]

The other side is the tutorial's network and recipe in eager PyTorch: Adam 1e-3, batch 64, all usable cores, the whole
set as one tensor and no DataLoader (leaner than the tutorial's own). Both train on the first 55,000 pictures and see
the last 5,000 as validation. A round is one epoch of the tutorial and one run of digit-train with its defaults; rounds
go on until the tutorial has reached 99.0 % on validation, or, with --limit, until that has taken more than so many
seconds: then the ratio is an upper bound. Times are of the training steps alone on both sides.
Prints one line a round and then the two ratios; exit 1 when one is above its limit.
"""
import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

import torch
import torch.nn.functional as F

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../support"))
from tutorial_network import Net

EPOCH_LIMIT, GOAL_LIMIT, GOAL = 0.45, 0.4, 0.99
VALIDATION, BATCH, MOST_ROUNDS = 5000, 64, 15


def read_idx(path, header):
    with open(path, "rb") as f:
        return torch.frombuffer(bytearray(f.read()[header:]), dtype=torch.uint8)


class Tutorial:
    """Trains one epoch a call."""

    def __init__(self, folder):
        torch.manual_seed(1)
        images = read_idx(os.path.join(folder, "train-images-idx3-ubyte"), 16).reshape(-1, 1, 28, 28).float() / 255
        labels = read_idx(os.path.join(folder, "train-labels-idx1-ubyte"), 8).long()
        self.train = images[:-VALIDATION], labels[:-VALIDATION]
        self.validation = images[-VALIDATION:], labels[-VALIDATION:]
        self.net = Net()
        self.adam = torch.optim.Adam(self.net.parameters(), lr=1e-3)

    def epoch(self):
        images, labels = self.train
        start = time.perf_counter()
        for batch in torch.randperm(len(labels)).split(BATCH):
            self.adam.zero_grad()
            F.cross_entropy(self.net(images[batch]), labels[batch]).backward()
            self.adam.step()
        seconds = time.perf_counter() - start
        with torch.no_grad():
            right = (self.net(self.validation[0]).argmax(1) == self.validation[1]).float().mean().item()
        return seconds, right


def digit_train(program, folder):
    """The (seconds, validation accuracy) of each epoch."""
    with tempfile.TemporaryDirectory() as out:
        done = subprocess.run([program, "--out", os.path.join(out, "m.pt"), "--data-dir", folder], text=True,
                              stderr=subprocess.PIPE, check=True)
    found = re.findall(r"validation ([\d.]+) %, ([\d.]+) s", done.stderr)
    return [(float(seconds), float(percent) / 100) for percent, seconds in found]


def seconds_to_goal(epochs):
    total = 0
    for seconds, right in epochs:
        total += seconds
        if right >= GOAL:
            return total
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("data_dir")
    parser.add_argument("--rounds", type=int, default=3, help="at least so many")
    parser.add_argument("--limit", type=float, default=float("inf"), metavar="SECONDS",
                        help="after the rounds, no further epoch of the tutorial once its epochs took so long together")
    args = parser.parse_args()
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    tutorial, theirs, ours, ours_to_goal = Tutorial(args.data_dir), [], [], []

    def spent():
        return sum(seconds for seconds, _ in theirs)

    while len(theirs) < args.rounds or (seconds_to_goal(theirs) is None and len(theirs) < MOST_ROUNDS
                                        and spent() < args.limit):
        theirs.append(tutorial.epoch())
        run = digit_train(args.program, args.data_dir)
        ours.append(statistics.median(seconds for seconds, _ in run))
        ours_to_goal.append(seconds_to_goal(run))
        print(f"round {len(theirs)}: tutorial {theirs[-1][0]:.1f} s, validation {100 * theirs[-1][1]:.2f} %; "
              f"digit-train {ours[-1]:.1f} s an epoch, to 99.0 % {ours_to_goal[-1]} s", flush=True)
    epoch_ratio = statistics.median(ours) / statistics.median(seconds for seconds, _ in theirs)
    print(f"time of an epoch: {epoch_ratio:.3f} of the tutorial's (limit {EPOCH_LIMIT})")
    if None in ours_to_goal:
        print("99.0 % on validation was not reached by digit-train")
        return 1
    below = ""
    if seconds_to_goal(theirs) is None:
        print(f"99.0 % on validation was not reached by the tutorial within {len(theirs)} epochs, {spent():.0f} s")
        below = "below "
    goal_ratio = statistics.median(ours_to_goal) / (seconds_to_goal(theirs) or spent())
    print(f"time to 99.0 % on validation: {below}{goal_ratio:.3f} of the tutorial's (limit {GOAL_LIMIT})")
    return 0 if epoch_ratio <= EPOCH_LIMIT and goal_ratio <= GOAL_LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
