#!/usr/bin/env python3
"""repository.py ROOT: sizes of files, line ends, tabs, #pragma once."""
import pathlib

import common

MAX_BYTES = 1 << 20
MAX_LINES = 400
CODE = common.CPP + (".py", ".proto", ".cmake", ".js", ".mjs", ".css", ".html", ".sh")
SCRIPTS = ("deploy/quickstart", "tests/run", "tests/chroot/run", "tests/containers/run", "tests/gpu/pack",
           "tests/gpu/run", "tests/gpu/product")


def check(root):
    allowed = common.rules(root)["sizes"]["allowed"]
    findings = []
    for name in common.files(root):
        data = (pathlib.Path(root) / name).read_bytes()
        if len(data) >= MAX_BYTES:
            findings.append(f"{name}: {len(data)} bytes, the limit is below {MAX_BYTES}")
        if b"\0" in data or name.startswith("tests/data/") or "/seeds/" in name or "/corpus/" in name:
            continue  # binary, or kept byte for byte
        if b"\r" in data:
            findings.append(f"{name}: has carriage returns")
        if data and not data.endswith(b"\n"):
            findings.append(f"{name}: no newline at the end")
        if not (name.endswith(CODE) or name in SCRIPTS or name.endswith("CMakeLists.txt")):
            continue
        lines = data.count(b"\n")
        if lines > MAX_LINES and name not in allowed:
            findings.append(f"{name}: {lines} lines, the limit is {MAX_LINES} (or a reason in tests/checks/rules.json)")
        if b"\t" in data:
            findings.append(f"{name}: has tabs")
        if name.endswith(".h") and b"\n#pragma once\n" not in b"\n" + data:
            findings.append(f"{name}: no #pragma once")
    return findings


if __name__ == "__main__":
    common.main(check)
