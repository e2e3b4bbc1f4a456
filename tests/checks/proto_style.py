#!/usr/bin/env python3
"""proto_style.py ROOT: every .proto of ours has the buf STANDARD style, and a comment on everything in it.

Reads the text with a small tokenizer of its own: protoc has already made sure that it is a correct proto3 file, so only
the shapes that proto3 knows have to be told apart. "proto.vendored" in rules.json lists the files that are not ours.
"""
import pathlib
import re

import common

TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\])*"|[\w.]+|[^\s\w]', re.DOTALL)
PASCAL = re.compile(r"^([A-Z][a-z0-9]*)+$")
LOWER = re.compile(r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$")
UPPER = re.compile(r"^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$")
SKIPPED = ("syntax", "package", "import", "option", "reserved", "extensions")


def upper_snake(name):
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).upper()


def statements(source):
    """Yields (line, commented, words, end) for each statement; end is ';', '{' or '}'."""
    comment_end, words, start, commented = None, [], 0, False
    lines = source.splitlines()
    for match in TOKEN.finditer(source):
        token, line = match.group(), source.count("\n", 0, match.start()) + 1
        if token.startswith(("//", "/*")):
            comment_end = line + token.count("\n")
            continue
        if not words:
            start, commented = line, comment_end is not None and comment_end == line - 1
        if token in (";", "{", "}"):
            trailing = "//" in lines[line - 1][match.end() - source.rfind("\n", 0, match.end()) - 1:]
            yield start, commented or trailing, words, token
            words = []
        else:
            words.append(token)


def file_findings(name, source):
    findings, scopes, methods, package, syntax = [], [], [], None, None

    def find(line, what):
        findings.append(f"{name}:{line}: {what}")

    def named(line, kind, word, pattern):
        if not pattern.match(word):
            find(line, f"{kind} {word} is not named in the style of {kind}s")

    for line, commented, words, end in statements(source):
        if end == "}" and not words:
            if scopes:
                scopes.pop()
            continue
        head = words[0] if words else ""
        kind, inside = (scopes[-1] if scopes else ("file", ""))
        if head == "package":
            package = words[1]
        elif head == "syntax":
            syntax = words[-1]
        elif head == "import" and "public" in words:
            find(line, "public imports hide where a name comes from")
        if head in SKIPPED and not (kind == "message" and words[1:2] != ["="] and words[2:3] == ["="]):
            if end == "{":
                scopes.append(("option", ""))
            continue
        if kind == "option" or not words:
            continue
        if not commented:
            find(line, f"no comment above `{' '.join(words[:3])}`")
        if head in ("message", "enum", "service", "oneof"):
            named(line, head, words[1], LOWER if head == "oneof" else PASCAL)
            if head == "service" and not words[1].endswith("Service"):
                find(line, f"service {words[1]} does not end in Service")
        elif head == "rpc":
            named(line, "rpc", words[1], PASCAL)
            groups = re.findall(r"\( (?:stream )?([\w.]+) \)", " ".join(words))
            methods += [(line, inside, words[1], suffix, used) for suffix, used in zip(("Request", "Response"), groups)]
        elif kind == "enum":
            value = words[0]
            named(line, "value", value, UPPER)
            if not value.startswith(upper_snake(inside) + "_"):
                find(line, f"{value} does not start with {upper_snake(inside)}_")
            if words[2] == "0" and not value.endswith("_UNSPECIFIED"):
                find(line, f"{value} is zero and does not end in _UNSPECIFIED")
        else:  # a field: [repeated|optional] TYPE NAME = NUMBER
            named(line, "field", words[words.index("=") - 1], LOWER)
        if end == "{":
            scopes.append((head, words[1]))
    folder = pathlib.PurePosixPath(name).parent.as_posix()
    if package != folder.replace("/", "."):
        find(1, f"package {package} is not its folder {folder}")
    if not re.search(r"\.v\d+((alpha|beta)\d+)?$", str(package)):
        find(1, f"package {package} has no version")
    if syntax != '"proto3"':
        find(1, 'no syntax = "proto3"')
    return findings, methods


def check(root):
    base = pathlib.Path(root) / "proto"
    vendored = tuple(common.rules(root)["proto"]["vendored"])
    findings, methods = [], []
    for name in common.files(root):
        name = name.removeprefix("proto/") if name.startswith("proto/") else ""
        if not name.endswith(".proto") or name.startswith(vendored):
            continue
        if not LOWER.match(pathlib.PurePosixPath(name).stem):
            findings.append(f"{name}:1: the file's name is not lower_snake_case")
        of_file, rpcs = file_findings(name, (base / name).read_text(encoding="utf-8"))
        findings += of_file
        methods += [(name, *rpc) for rpc in rpcs]
    users = {}
    for name, line, service, rpc, suffix, used in methods:
        if used not in (rpc + suffix, service + rpc + suffix):
            findings.append(f"{name}:{line}: rpc {rpc} takes or gives {used}, not {rpc}{suffix}")
        if users.setdefault(used, (service, rpc, suffix)) != (service, rpc, suffix):
            findings.append(f"{name}:{line}: {used} serves more than one rpc")
    return findings


if __name__ == "__main__":
    common.main(check)
