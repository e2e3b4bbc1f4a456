// Reads a pickle of protocol 2 into a tree of values. Nothing is ever called or constructed.
//
// A pickle is a program for a stack machine that can call any Python function by name. This machine knows only the
// opcodes that torch writes and only the classes below; a call becomes a kCall node, which the caller may understand
// (model/archive/tensor_reader) or ignore. No recursion; memory is at most 32 times the pickle's bytes, and about its
// size for what torch writes. Source: CPython's Lib/pickletools.py; torch/csrc/jit/serialization/pickler.h.
#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/archive/pickle_classes.h"
#include "model/archive/pickle_tree.h"

namespace digit {

// INVALID_ARGUMENT in one line names the opcode, class or limit. The tree views `pickle`, which must outlive it.
absl::StatusOr<PickleTree> ReadPickle(absl::string_view pickle, PickleDialect dialect);

}  // namespace digit
