// The values that a pickle describes, compact: 16 bytes a value, 8 a child.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "absl/strings/string_view.h"

namespace digit {

using PickleId = uint32_t;  // of a value in its tree

struct PickleValue {
  enum class Kind : uint8_t {
    kNone,
    kBool,     // integer: 0 or 1
    kInt,      // integer
    kFloat,    // real
    kString,   // text, as it lies in the file (UTF-8, not checked)
    kGlobal,   // text: module, newline, name: "torch\nFloatStorage"
    kTuple,    // children
    kList,     // children
    kDict,     // children: key, value, key, value, ...
    kStorage,  // children: "storage", class, key, location, number of elements; kinds are checked
    kCall,     // children: callee (kGlobal), arguments (kTuple)
    kObject,   // children: class (kGlobal), then what BUILD gave it (usually one kDict)
  };
  explicit PickleValue(Kind kind) : kind(kind) {}

  Kind kind;
  uint32_t size = 0;  // bytes of text, or number of children
  union {
    int64_t integer = 0;
    double real;
    const char* text;
    struct {
      uint32_t first, last;
    } links;
  };
};
static_assert(sizeof(PickleValue) == 16);

// Made by ReadPickle() (pickle_reader.h); immutable after that; views into the pickle's bytes, which must outlive it.
class PickleTree {
 public:
  using Kind = PickleValue::Kind;

  PickleId root() const { return root_; }
  size_t num_values() const { return values_.size(); }  // ids are 0 .. num_values() - 1
  Kind kind(PickleId id) const { return values_[id].kind; }
  int64_t integer(PickleId id) const { return values_[id].integer; }  // kBool, kInt
  absl::string_view text(PickleId id) const;                          // kString, kGlobal; else empty
  size_t size(PickleId id) const { return values_[id].size; }         // number of children, bytes of text
  // The first children, empty for kinds without. A value may be met on many paths: say how many are needed.
  std::vector<PickleId> children(PickleId id, size_t at_most) const;
  bool IsGlobal(PickleId id, absl::string_view module_newline_name) const;

 private:
  friend class PickleMachine;
  struct Link {
    PickleId value;
    uint32_t next;
  };
  std::deque<PickleValue> values_;
  std::deque<Link> links_;  // children of all values, each value's as a chain
  PickleId root_ = 0;
};

}  // namespace digit
