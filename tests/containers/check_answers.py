#!/usr/bin/env python3
"""check_answers.py [--versions OLD,NEW] FOLDER NAME...: what loops of `digitctl recognize -o json` printed.

Each wrote FOLDER/NAME.answers. Every picture must have its digit, which is the first word of its file's name, and each
loop must see these versions, in this order. Prints a summary; exits 1 and names the lines when something is wrong.
"""
import argparse
import collections
import json
import re
import sys

DIGITS = {"two": "2", "three": "3", "five": "5", "seven": "7", "eight": "8"}


def problems_of(path, versions, counts):
    order = []
    with open(path) as lines:
        for number, line in enumerate(lines, 1):
            try:
                answer = json.loads(line)
            except ValueError:
                answer = {"error": f"no JSON: {line.strip()}"}
            wanted = DIGITS[re.match("[a-z]+", answer["file"].rpartition("/")[2])[0]] if "file" in answer else None
            if "error" in answer or answer.get("label") != wanted:
                yield f"{path}:{number}: {line.strip()}"
                continue
            counts[answer["version"]] += 1
            if order[-1:] != [answer["version"]]:
                order.append(answer["version"])
    if not order:
        yield f"{path}: no answers"
    if versions and order != versions:
        yield f"{path}: versions came as {order}, not as {versions}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--versions", type=lambda text: text.split(","))
    parser.add_argument("folder")
    parser.add_argument("names", nargs="+")
    options = parser.parse_args()
    counts = collections.Counter()
    problems = [problem for name in options.names
                for problem in problems_of(f"{options.folder}/{name}.answers", options.versions, counts)]
    print("\n".join(problems[:20]), file=sys.stderr, end="\n" if problems else "")
    print(f"{sum(counts.values())} pictures asked, {len(problems)} failed or wrong; by version:", dict(counts))
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
