#!/usr/bin/env python3
"""Each check passes a good sample and fails a bad one."""
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import clock_reads
import common
import layering
import linking
import proto_compatibility
import proto_style
import repository

HERE = pathlib.Path(__file__).resolve().parent

GOOD_PROTO = """syntax = "proto3";

package digit.v1;

// Serves.
service DigitService {
  // Does.
  rpc Do(DoRequest) returns (stream DoResponse);
}

// Asks.
message DoRequest {
  // Which.
  oneof source {
    // A name.
    string name = 1;
  }
  repeated int32 sizes = 2;  // In bytes.
}

// Answers.
message DoResponse {
  // How it went.
  State state = 1;
}

// How it can go.
enum State {
  // Not known.
  STATE_UNSPECIFIED = 0;
  // Well.
  STATE_WELL = 1;
}
"""


class Sample(unittest.TestCase):
    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.root)
        self.write("tests/checks/rules.json", (HERE / "rules.json").read_text())

    def write(self, name, content):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def found(self, check, name, content, *arguments):
        self.write(name, content)
        return "\n".join(check(self.root, *arguments))


class LayeringTest(Sample):
    def includes(self, name, line):
        return self.found(layering.check, name, line + "\n")

    def test_passes_what_the_table_allows(self):
        self.assertEqual("", self.includes("daemon/pool/a.cc", '#include "base/x.h"'))
        self.assertEqual("", self.includes("daemon/pool/a.cc", '#include "model/archive/x.h"'))  # through model/engine
        self.assertEqual("", self.includes("daemon/rpc/a.cc", '#include "digit/v1/digit.pb.h"'))
        self.assertEqual("", self.includes("model/engine/torch/a.cc", "#include <torch/script.h>"))
        self.assertEqual("", self.includes("tests/unit/daemon/pool/a_test.cc", '#include "daemon/app/x.h"'))

    def test_finds_a_layer_that_is_not_listed(self):
        self.assertIn("client/ctl/ may not use daemon/app",
                      self.includes("client/ctl/a.cc", '#include "daemon/app/x.h"'))
        self.assertIn("base/ may not use model/spec", self.includes("base/a.h", ' #  include  "model/spec/x.h"'))
        self.assertIn("daemon/pool/ may not use proto", self.includes("daemon/pool/a.cc", "#include <digit/v1/d.pb.h>"))
        self.assertIn("a.cc:2: model/engine/ may",
                      self.includes("model/engine/a.cc", '\n#include "model/engine/torch/x.h"'))

    def test_finds_torch_outside_its_folders(self):
        for name in ("model/engine/a.cc", "daemon/pool/a.h", "tests/unit/daemon/pool/a_test.cc"):
            self.assertIn("does not belong here", self.includes(name, "#include <torch/torch.h>"))
        self.assertIn("does not belong here", self.includes("base/a.cc", '#include "ATen/ATen.h"'))

    def test_finds_includes_that_do_not_start_at_the_root_and_folders_without_a_line(self):
        self.assertIn("does not start at the repository root", self.includes("base/a.cc", '#include "x.h"'))
        self.assertIn("does not start at the repository root", self.includes("base/a.cc", '#include "../base/x.h"'))
        self.assertIn("has no line", self.includes("model/somewhere/a.cc", "#include <vector>"))


class ClockReadsTest(Sample):
    def test_passes_injected_clocks_comments_and_allowed_folders(self):
        line = "clock->Now();  // not steady_clock::now()\n"
        self.assertEqual("", self.found(clock_reads.check, "daemon/pool/a.cc", line))
        self.assertEqual("", self.found(clock_reads.check, "base/a.cc", "std::chrono::steady_clock::now();\n"))

    def test_finds_reads_and_sleeps(self):
        for line in ("std::chrono::steady_clock::now();", "absl::Now();", "std::this_thread::sleep_for(1ms);",
                     "time(nullptr);"):
            self.assertIn("a.cc:2:", self.found(clock_reads.check, "daemon/pool/a.cc", f'"quoted";\n{line}\n'), line)


class RepositoryTest(Sample):
    def test_passes_good_files(self):
        self.assertEqual("", self.found(repository.check, "base/a.h", "// Text.\n#pragma once\n"))

    def test_finds_each_kind_of_bad_file(self):
        self.assertIn("401 lines", self.found(repository.check, "base/a.cc", "\n" * 401))
        self.assertIn("has tabs", self.found(repository.check, "base/a.cc", "\tint a;\n"))
        self.assertIn("carriage returns", self.found(repository.check, "base/a.cc", "int a;\r\n"))
        self.assertIn("no newline", self.found(repository.check, "base/a.cc", "int a;"))
        self.assertIn("no #pragma once", self.found(repository.check, "base/a.h", "int a;\n"))
        self.assertIn("the limit is below", self.found(repository.check, "model/pretrained/x.pt", b"\0" * (1 << 20)))


class LinkingTest(Sample):
    def test_passes_a_program_without_torch(self):
        self.assertEqual([], linking.check("/bin/ls"))

    def test_finds_a_needed_torch_behind_another_library(self):
        compiler = shutil.which("cc") or shutil.which("gcc")
        self.write("empty.c", "void a(void) {}\n")
        self.write("main.c", "int main(void) { return 0; }\n")

        def cc(*arguments):
            subprocess.run([compiler, "-Wl,--no-as-needed", f"-Wl,-rpath,{self.root}", f"-L{self.root}", *arguments],
                           cwd=self.root, check=True)
        cc("-shared", "-fPIC", "empty.c", "-o", "libtorch_cpu.so")
        cc("-shared", "-fPIC", "empty.c", "-o", "libother.so", "-ltorch_cpu")
        cc("main.c", "-o", "program", "-lother")
        self.assertIn("needs libtorch_cpu.so", "\n".join(linking.check(str(self.root / "program"))))

    def test_finds_a_missing_program(self):
        self.assertIn("not there", linking.check(str(self.root / "program"))[0])


class ProtoStyleTest(Sample):
    def style(self, old="", new=""):
        self.assertIn(old, GOOD_PROTO)
        return self.found(proto_style.check, "proto/digit/v1/sample.proto", GOOD_PROTO.replace(old, new))

    def test_passes_the_style(self):
        self.assertEqual("", self.style())

    def test_finds_a_missing_comment_on_each_kind(self):
        for comment in ("// Serves.", "  // Does.", "// Asks.", "  // Which.", "    // A name.", "  // In bytes.",
                        "// How it can go.", "  // Well."):
            self.assertIn("no comment above", self.style(comment + "\n", "\n"), comment)

    def test_finds_names_out_of_style(self):
        for old, new, finding in (
                ("package digit.v1", "package digit", "is not its folder"),
                ("DigitService", "Digits", "does not end in Service"),
                ("Do(DoRequest", "Do(Question", "takes or gives Question"),
                ("rpc Do(", "rpc do_it(", "rpc do_it is not named"),
                ("string name", "string Name", "field Name is not named"),
                ("oneof source", "oneof Source", "oneof Source is not named"),
                ("message DoRequest", "message do_request", "message do_request is not named"),
                ("STATE_UNSPECIFIED", "STATE_NONE", "does not end in _UNSPECIFIED"),
                ("STATE_WELL", "WELL", "does not start with STATE_")):
            self.assertIn(finding, self.style(old, new))

    def test_finds_a_message_of_two_rpcs(self):
        again = "  // Again.\n  rpc Redo(DoRequest) returns (DoResponse);\n}\n\n// Asks."
        self.assertIn("serves more than one rpc", self.style("}\n\n// Asks.", again))


class ProtoCompatibilityTest(Sample):
    def setUp(self):
        super().setUp()
        self.write("tests/data/.keep", "")
        self.assertEqual("", self.after("", "", "--update"))

    def after(self, old, new, *arguments):
        text = GOOD_PROTO.replace(old, new)
        return self.found(proto_compatibility.check, "proto/digit/v1/digit.proto", text, *arguments)

    def test_passes_what_is_committed(self):
        self.assertEqual("", self.after("", ""))

    def test_finds_a_changed_type_a_renamed_field_a_moved_number_and_a_removed_rpc(self):
        rpc = "  rpc Do(DoRequest) returns (stream DoResponse);\n"
        for old, new in (("int32 sizes", "int64 sizes"), ("sizes = 2", "lengths = 2"), ("sizes = 2", "sizes = 3"),
                         ("  repeated int32 sizes = 2;", ""), ("STATE_WELL = 1", "STATE_ILL = 1"), (rpc, ""),
                         ("repeated int32", "int32"), ("stream DoResponse", "DoResponse")):
            for update in ((), ("--update",)):
                self.assertIn("no longer so", self.after(old, new, *update), new)

    def test_wants_an_update_for_what_is_new_and_takes_it(self):
        more = ("sizes = 2;", "sizes = 2; bool more = 3;")
        self.assertIn("lacks something new", self.after(*more))
        self.assertEqual("", self.after(*more, "--update"))
        self.assertEqual("", self.after(*more))

    def test_takes_a_removal_with_reservation_and_never_gives_the_number_again(self):
        removed = ("repeated int32 sizes = 2;", 'reserved 2; reserved "sizes";')
        self.assertEqual("", self.after(*removed, "--update"))
        self.assertIn("no longer so", self.after("repeated int32 sizes = 2;", "bool other = 2;"))


class FilesTest(Sample):
    def test_sees_new_files_and_not_ignored_ones(self):
        subprocess.run(["git", "init", "-q", self.root], check=True)
        self.write(".gitignore", "/build/\n")
        self.write("build/a.cc", "")
        self.write("base/a.cc", "")
        self.assertIn("base/a.cc", common.files(self.root))
        self.assertNotIn("build/a.cc", common.files(self.root))

    def test_does_without_git(self):
        self.write("build/a.cc", "")
        self.write("base/a.cc", "")
        self.assertEqual(["base/a.cc", "tests/checks/rules.json"], common.files(self.root))


if __name__ == "__main__":
    unittest.main()
