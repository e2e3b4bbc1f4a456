#!/usr/bin/env python3
"""layering.py ROOT: every #include keeps to the table of layers and externals in tests/checks/rules.json."""
import re

import common

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
LAYERED = ("base/", "model/", "daemon/", "client/")
TOP = LAYERED + ("proto/", "tests/")
GENERATED = re.compile(r"^(digit|inference|grpc/health)/.*\.pb\.h$")


def folder_of(path, table):
    """The longest listed folder that holds path, or None."""
    fits = [folder for folder in table if path.startswith(folder + "/")]
    return max(fits, key=len, default=None)


def closure(table):
    """Folder -> all folders it may use: itself, base, what is listed, and what those may use."""
    def reach(folder, seen):
        for other in table[folder]:
            if other not in seen:
                seen.add(other)
                reach(other, seen)
        return seen
    return {folder: reach(folder, {folder, "base"}) for folder in table}


def check(root):
    rules = common.rules(root)
    table = {folder: uses for folder, uses in rules["layers"].items() if folder}
    may_use = closure(table)
    findings = []
    for name in common.files(root):
        if not name.endswith(common.CPP):
            continue
        own = folder_of(name, table)
        if name.startswith(LAYERED) and own is None:
            findings.append(f"{name}: its folder has no line in tests/checks/rules.json")
            continue
        source = common.text(root, name)
        for match in INCLUDE.finditer(source):
            kind, header = match.groups()
            where = f"{name}:{source.count(chr(10), 0, match.start(2)) + 1}"
            for external in rules["externals"]:
                if re.search(external["headers"], header) and not GENERATED.match(header):
                    if not any(name.startswith(folder + "/") for folder in external["folders"]):
                        findings.append(f"{where}: <{header}> does not belong here: {external['reason']}")
            if header.startswith(TOP) or GENERATED.match(header):
                used = "proto" if GENERATED.match(header) else folder_of(header, table)
                if own is not None and used not in may_use[own]:
                    findings.append(f"{where}: {own}/ may not use {used or header}")
            elif kind == '"' and "/" not in header or header.startswith("."):
                findings.append(f'{where}: "{header}" does not start at the repository root')
    return findings


if __name__ == "__main__":
    common.main(check)
