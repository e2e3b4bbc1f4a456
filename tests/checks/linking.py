#!/usr/bin/env python3
"""linking.py PROGRAM...: none of them needs LibTorch, also not through another library (ldd follows them all)."""
import pathlib
import re
import subprocess

import common

TORCH = re.compile(r"lib(torch|c10|caffe2)[\w.+-]*\.so")


def check(*programs):
    findings = []
    if not programs:
        return ["no program given"]
    for program in programs:
        if not pathlib.Path(program).is_file():
            findings.append(f"{program}: not there")
            continue
        ldd = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
        if ldd.returncode != 0:
            findings.append(f"{program}: ldd: {(ldd.stderr or ldd.stdout).strip()}")
        for library in sorted({match.group() for match in TORCH.finditer(ldd.stdout)}):
            findings.append(f"{program}: needs {library}")
        findings += [f"{program}:{line.rstrip()}" for line in ldd.stdout.splitlines() if "not found" in line]
    return findings


if __name__ == "__main__":
    common.main(check)
