#!/usr/bin/env python3
"""clock_reads.py ROOT: time is injected (base/clock.h); only the folders named in rules.json read it or sleep."""
import re

import common


def check(root):
    clock = common.rules(root)["clock"]
    words = re.compile("|".join(clock["words"]))
    findings = []
    for name in common.files(root):
        if not name.endswith(common.CPP) or name.startswith(tuple(clock["allowed"])):
            continue
        for number, line in enumerate(common.without_comments(common.text(root, name)).splitlines(), 1):
            if match := words.search(line):
                findings.append(f"{name}:{number}: `{match.group()}` reads the clock or sleeps: take a Clock instead")
    return findings


if __name__ == "__main__":
    common.main(check)
