#!/usr/bin/env python3
"""proto_compatibility.py ROOT [--update]: numbers of the digit.v1 API are never reused, types never change.

tests/data/digit_v1.descriptor.txt holds every fact of the API that the wire or a caller depends on, one a line, taken
from protoc's descriptor. A fact may be added (then run with --update, which writes the file), and a field or value may
go when its number and name are reserved; nothing else may change, and --update refuses it too.
"""
import pathlib
import re
import subprocess
import tempfile

import common

GOLDEN = "tests/data/digit_v1.descriptor.txt"
PROTO = "digit/v1/digit.proto"
LINE = re.compile(r'(\w+)(?: \{|: (.*))$')


def protoc_text(folder):
    """protoc's FileDescriptorSet of PROTO, in protobuf's text format."""
    with tempfile.TemporaryDirectory() as temp:
        binary = pathlib.Path(temp) / "set"
        subprocess.run(["protoc", "-I", folder, f"--descriptor_set_out={binary}", PROTO], check=True)
        decoded = subprocess.run(["protoc", "--decode=google.protobuf.FileDescriptorSet",
                                  "google/protobuf/descriptor.proto"], input=binary.read_bytes(), capture_output=True,
                                 check=True)
    return decoded.stdout.decode()


def parse(text):
    """Text format -> a dict of lists: {"message_type": [{"name": ["Image"], "field": [{...}]}]}."""
    stack = [{}]
    for line in map(str.strip, text.splitlines()):
        if line == "}":
            stack.pop()
        elif match := LINE.match(line):
            key, value = match.groups()
            child = {} if value is None else value.strip('"')
            stack[-1].setdefault(key, []).append(child)
            if value is None:
                stack.append(child)
    return stack[0]


def one(node, key, default=""):
    return node.get(key, [default])[0]


def message_facts(message, scope):
    own = f"{scope}.{one(message, 'name')}"
    yield f"message {own}"
    oneofs = [one(decl, "name") for decl in message.get("oneof_decl", [])]
    for field in message.get("field", []):
        kind = one(field, "type_name").lstrip(".") or one(field, "type")
        where = oneofs[int(one(field, "oneof_index"))] if "oneof_index" in field else "-"
        yield f"field {own} {one(field, 'number')} {one(field, 'name')} {one(field, 'label')} {kind} oneof:{where}"
    for span in message.get("reserved_range", []):
        for number in range(int(one(span, "start")), min(int(one(span, "end")), int(one(span, "start")) + 1000)):
            yield f"reserved {own} {number}"
    yield from (f"reserved {own} {name}" for name in message.get("reserved_name", []))
    for inner in message.get("nested_type", []):
        yield from message_facts(inner, own)
    for inner in message.get("enum_type", []):
        yield from enum_facts(inner, own)


def enum_facts(enum, scope):
    own = f"{scope}.{one(enum, 'name')}"
    yield f"enum {own}"
    yield from (f"value {own} {one(value, 'number')} {one(value, 'name')}" for value in enum.get("value", []))
    for span in enum.get("reserved_range", []):  # of an enum: the end is inside
        yield from (f"reserved {own} {n}" for n in range(int(one(span, "start")), int(one(span, "end")) + 1))
    yield from (f"reserved {own} {name}" for name in enum.get("reserved_name", []))


def facts(text):
    found = []
    for file in parse(text)["file"]:
        package = one(file, "package")
        for message in file.get("message_type", []):
            found += message_facts(message, package)
        for enum in file.get("enum_type", []):
            found += enum_facts(enum, package)
        for service in file.get("service", []):
            own = f"{package}.{one(service, 'name')}"
            found.append(f"service {own}")
            for method in service.get("method", []):
                streams = f"{one(method, 'client_streaming', 'false')}/{one(method, 'server_streaming', 'false')}"
                types = f"{one(method, 'input_type').lstrip('.')} {one(method, 'output_type').lstrip('.')}"
                found.append(f"rpc {own}.{one(method, 'name')} {types} streams:{streams}")
    return found


def broken(old, new):
    """The old facts that neither hold any more nor were given up with their number and name reserved."""
    new = set(new)
    for fact in old:
        kind, owner, *rest = fact.split(" ")
        if fact in new:
            continue
        if kind in ("field", "value") and all(f"reserved {owner} {key}" in new for key in rest[:2]):
            continue
        yield f"no longer so: `{fact}` (callers out there rely on it; a removed field or value must be reserved)"


def check(root, update=None):
    golden = pathlib.Path(root) / GOLDEN
    old = golden.read_text(encoding="utf-8").splitlines() if golden.exists() else []
    new = facts(protoc_text(pathlib.Path(root) / "proto"))
    findings = list(broken(old, new))
    if update == "--update" and not findings:
        golden.write_text("\n".join(new) + "\n", encoding="utf-8")
    elif not findings and old != new:
        findings.append(f"{GOLDEN} lacks something new: run tests/checks/proto_compatibility.py . --update")
    return findings


if __name__ == "__main__":
    common.main(check)
