#include "model/archive/pickle_reader.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "base/status.h"
#include "model/archive/little_endian.h"
#include "model/archive/pickle_classes.h"
#include "model/archive/quoted.h"

namespace digit {
namespace {

using Kind = PickleValue::Kind;

// Guesses, far above what real files need (our network's: 110 values, depth 6; ResNet-152 as TorchScript: 30,000).
constexpr size_t kMaxPickleBytes = size_t{32} << 20;
constexpr size_t kMaxValues = 2'000'000;
constexpr size_t kMaxStack = 1'000'000;
constexpr size_t kMaxMarks = 200;
constexpr size_t kFreeValues = 1000;  // beyond these a value needs two bytes of pickle, as in all that torch writes

template <typename... Parts>
absl::Status Refused(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat("the file is refused, nothing in it was run: ", parts...));
}

std::string Shown(absl::string_view global) { return Quoted(absl::StrReplaceAll(global, {{"\n", "."}})); }

}  // namespace

// The stack machine: one pass over the opcodes.
class PickleMachine {
 public:
  PickleMachine(absl::string_view pickle, PickleDialect dialect) : pickle_(pickle), dialect_(dialect) {
    for (const Kind kind : {Kind::kNone, Kind::kBool, Kind::kBool, Kind::kTuple}) {  // in the order of the enum below
      tree_.values_.push_back(PickleValue(kind));
    }
    tree_.values_[kTrue].integer = 1;
  }

  absl::StatusOr<PickleTree> Run() {
    RETURN_IF_ERROR(ReadProtocol());
    while (!stopped_) {
      if (at_ >= pickle_.size()) return Refused("its pickle ends without STOP");
      opcode_ = static_cast<uint8_t>(pickle_[at_++]);
      RETURN_IF_ERROR(Step());
      if (tree_.values_.size() > kMaxValues || stack_.size() > kMaxStack ||
          tree_.values_.size() > kFreeValues + pickle_.size() / 2) {
        return Refused("its pickle holds too many values for ", pickle_.size(), " bytes");
      }
    }
    if (stack_.size() != 1 || !marks_.empty()) return Refused("its pickle ends with ", stack_.size(), " values");
    if (at_ != pickle_.size()) return Refused("its pickle goes on after STOP");
    tree_.root_ = stack_[0];
    return std::move(tree_);
  }

 private:
  // Values that every tree shares; immutable.
  enum : PickleId { kNone, kFalse, kTrue, kEmptyTuple };

  absl::Status ReadProtocol() {
    if (pickle_.size() > kMaxPickleBytes) {
      return Refused("its pickle has ", pickle_.size(), " bytes, the limit is ", kMaxPickleBytes);
    }
    if (pickle_.size() < 2 || pickle_[0] != '\x80') return Refused("its pickle does not start with PROTO");
    if (pickle_[1] != 2) {
      return Refused("its pickle has protocol ", static_cast<uint8_t>(pickle_[1]),
                     "; save it with torch.save's default, pickle_protocol=2");
    }
    at_ = 2;
    return absl::OkStatus();
  }

  absl::Status Step() {
    switch (opcode_) {
      case 'N':
        return Push(kNone);
      case 0x88:
        return Push(kTrue);
      case 0x89:
        return Push(kFalse);
      case ')':
        return Push(kEmptyTuple);
      case ']':
        return PushNew(PickleValue(Kind::kList));
      case '}':
        return PushNew(PickleValue(Kind::kDict));
      case 'K':
        return PushNumber<uint8_t>();
      case 'M':
        return PushNumber<uint16_t>();
      case 'J':
        return PushNumber<int32_t>();
      case 0x8a:
        return PushLong();
      case 'G':
        return PushReal();
      case 'X':
        return PushString();
      case 'c':
        return PushGlobal();
      case '(':
        return PushMark();
      case 't':
        return TupleSinceMark();
      case 0x85:
        return TupleOf(1);
      case 0x86:
        return TupleOf(2);
      case 0x87:
        return TupleOf(3);
      case 'a':
        return AppendTo(Kind::kList, 1);
      case 'e':
        return AppendSinceMark(Kind::kList);
      case 's':
        return AppendTo(Kind::kDict, 2);
      case 'u':
        return AppendSinceMark(Kind::kDict);
      case 'q':
        return Put<uint8_t>();
      case 'r':
        return Put<uint32_t>();
      case 'h':
        return Get<uint8_t>();
      case 'j':
        return Get<uint32_t>();
      case 'Q':
        return MakeStorage();
      case 'R':
        return Reduce();
      case 0x81:
        return NewObject();
      case 'b':
        return Build();
      case '.':
        stopped_ = true;
        return absl::OkStatus();
      default:
        return Refused(
            absl::StrFormat("its pickle uses opcode 0x%02x at byte %d, which no model file needs", opcode_, at_ - 1));
    }
  }

  absl::Status Misused() const {
    return Refused(absl::StrFormat("its pickle misuses opcode 0x%02x at byte %d", opcode_, at_ - 1));
  }

  // ---- operands
  bool Have(size_t bytes) const { return pickle_.size() - at_ >= bytes; }
  template <typename T>
  T Take() {
    const T value = LoadLittle<T>(pickle_, at_);
    at_ += sizeof(T);
    return value;
  }

  // ---- pushing
  absl::Status Push(PickleId id) {
    stack_.push_back(id);
    return absl::OkStatus();
  }
  absl::Status PushNew(PickleValue value) {
    tree_.values_.push_back(value);
    return Push(static_cast<PickleId>(tree_.values_.size() - 1));
  }
  absl::Status PushInteger(int64_t integer) {
    PickleValue value(Kind::kInt);
    value.integer = integer;
    return PushNew(value);
  }
  absl::Status PushText(Kind kind, absl::string_view text) {
    PickleValue value(kind);
    value.size = static_cast<uint32_t>(text.size());
    value.text = text.data();
    at_ += text.size();
    return PushNew(value);
  }
  template <typename T>
  absl::Status PushNumber() {
    if (!Have(sizeof(T))) return Misused();
    return PushInteger(Take<T>());
  }
  // LONG1: a length, then that many bytes of two's complement.
  absl::Status PushLong() {
    if (!Have(1)) return Misused();
    const size_t bytes = Take<uint8_t>();
    if (bytes > sizeof(int64_t) || !Have(bytes)) return Misused();
    uint64_t integer = 0;
    for (size_t i = 0; i < bytes; ++i) integer |= uint64_t{Take<uint8_t>()} << (8 * i);
    if (bytes == 0) return PushInteger(0);
    const int unused_bits = static_cast<int>(8 * (sizeof(int64_t) - bytes));
    return PushInteger(static_cast<int64_t>(integer << unused_bits) >> unused_bits);
  }
  absl::Status PushReal() {
    if (!Have(sizeof(double))) return Misused();
    PickleValue value(Kind::kFloat);
    uint64_t big_endian = Take<uint64_t>();
    value.integer = static_cast<int64_t>(__builtin_bswap64(big_endian));  // the double's bits
    return PushNew(value);
  }
  absl::Status PushString() {
    if (!Have(sizeof(uint32_t))) return Misused();
    const uint32_t bytes = Take<uint32_t>();
    if (!Have(bytes)) return Misused();
    return PushText(Kind::kString, pickle_.substr(at_, bytes));
  }

  absl::Status PushGlobal() {
    const size_t module_end = pickle_.find('\n', at_);
    const size_t name_end = module_end == absl::string_view::npos ? module_end : pickle_.find('\n', module_end + 1);
    if (name_end == absl::string_view::npos) return Misused();
    const absl::string_view global = pickle_.substr(at_, name_end - at_);
    if (!IsAllowedClass(global, dialect_)) return ClassRefused(global, pickle_.substr(name_end + 1));
    RETURN_IF_ERROR(PushText(Kind::kGlobal, global));
    ++at_;  // the second newline
    return absl::OkStatus();
  }

  // A pickle that starts by making an object of the class is somebody's whole module: the most common mistake.
  absl::Status ClassRefused(absl::string_view global, absl::string_view rest) const {
    constexpr absl::string_view kMakeObject = ")\x81";  // EMPTY_TUPLE, NEWOBJ; maybe behind a two-byte BINPUT
    if (at_ == 3 && (absl::StartsWith(rest, kMakeObject) ||
                     (rest.size() > 2 && rest[0] == 'q' && absl::StartsWith(rest.substr(2), kMakeObject)))) {
      return Refused("it is a whole pickled model of class ", Shown(global),
                     "; load it in Python and save model.state_dict() with torch.save, or torch.jit.script(model)");
    }
    return Refused("its pickle names ", Shown(global), ", which is not on the list of classes a model file may use");
  }

  // ---- containers
  absl::Status PushMark() {
    if (marks_.size() >= kMaxMarks) return Refused("its pickle nests deeper than ", kMaxMarks);
    marks_.push_back(stack_.size());
    return absl::OkStatus();
  }
  size_t Floor() const { return marks_.empty() ? 0 : marks_.back(); }  // what lies below belongs to an outer mark
  bool HaveOperands(size_t count) const { return stack_.size() - Floor() >= count; }

  // Appends the stack from `begin` up to the children of `id` and pops them.
  void MoveToChildren(PickleId id, size_t begin) {
    PickleValue& value = tree_.values_[id];
    for (size_t i = begin; i < stack_.size(); ++i) {
      const auto link = static_cast<uint32_t>(tree_.links_.size());
      tree_.links_.push_back({.value = stack_[i], .next = 0});
      if (value.size++ == 0) {
        value.links.first = link;
      } else {
        tree_.links_[value.links.last].next = link;
      }
      value.links.last = link;
    }
    stack_.resize(begin);
  }

  absl::Status CollapseInto(Kind kind, size_t begin) {
    tree_.values_.push_back(PickleValue(kind));
    const auto id = static_cast<PickleId>(tree_.values_.size() - 1);
    MoveToChildren(id, begin);
    return Push(id);
  }
  absl::Status TupleOf(size_t count) {
    if (!HaveOperands(count)) return Misused();
    return CollapseInto(Kind::kTuple, stack_.size() - count);
  }
  absl::Status TupleSinceMark() {
    if (marks_.empty()) return Misused();
    const size_t begin = marks_.back();
    marks_.pop_back();
    return CollapseInto(Kind::kTuple, begin);
  }
  absl::Status AppendTo(Kind kind, size_t count) {
    if (!HaveOperands(count + 1)) return Misused();
    const size_t begin = stack_.size() - count;
    if (tree_.kind(stack_[begin - 1]) != kind || (kind == Kind::kDict && count % 2 != 0)) return Misused();
    MoveToChildren(stack_[begin - 1], begin);
    return absl::OkStatus();
  }
  absl::Status AppendSinceMark(Kind kind) {
    if (marks_.empty()) return Misused();
    const size_t count = stack_.size() - marks_.back();
    marks_.pop_back();
    return AppendTo(kind, count);
  }

  // ---- memo: torch numbers it without gaps
  template <typename T>
  absl::Status Put() {
    if (!Have(sizeof(T)) || !HaveOperands(1)) return Misused();
    const size_t index = Take<T>();
    if (index > memo_.size()) return Misused();
    if (index == memo_.size()) memo_.push_back(0);
    memo_[index] = stack_.back();
    return absl::OkStatus();
  }
  template <typename T>
  absl::Status Get() {
    if (!Have(sizeof(T))) return Misused();
    const size_t index = Take<T>();
    if (index >= memo_.size()) return Misused();
    return Push(memo_[index]);
  }

  // ---- classes
  // BINPERSID: ('storage', class, key, location, elements) is the only persistent id that torch writes.
  absl::Status MakeStorage() {
    if (!HaveOperands(1)) return Misused();
    const PickleId id = stack_.back();
    if (tree_.kind(id) != Kind::kTuple) return Misused();
    const std::vector<PickleId> parts = tree_.children(id, 5);
    if (tree_.size(id) != 5 || tree_.text(parts[0]) != "storage" || tree_.kind(parts[1]) != Kind::kGlobal ||
        !IsStorageClass(tree_.text(parts[1])) || tree_.kind(parts[2]) != Kind::kString ||
        tree_.kind(parts[3]) != Kind::kString || tree_.kind(parts[4]) != Kind::kInt) {
      return Refused("its pickle has a persistent id at byte ", at_ - 1, " that is no storage");
    }
    PickleValue storage = tree_.values_[id];  // shares the tuple's children
    storage.kind = Kind::kStorage;
    stack_.pop_back();
    return PushNew(storage);
  }

  absl::Status Reduce() {
    if (!HaveOperands(2)) return Misused();
    const PickleId callee = stack_[stack_.size() - 2], arguments = stack_.back();
    if (tree_.kind(callee) != Kind::kGlobal || tree_.kind(arguments) != Kind::kTuple) return Misused();
    const absl::string_view global = tree_.text(callee);
    if (global == "collections\nOrderedDict") {
      if (tree_.values_[arguments].size != 0) return Misused();
      stack_.resize(stack_.size() - 2);
      return PushNew(PickleValue(Kind::kDict));
    }
    if (!IsTensorFunction(global) && dialect_ != PickleDialect::kTorchScript) {
      return Refused("its pickle calls ", Shown(global));
    }
    return CollapseInto(Kind::kCall, stack_.size() - 2);
  }

  absl::Status NewObject() {
    if (!HaveOperands(2)) return Misused();
    const PickleId type = stack_[stack_.size() - 2];
    if (tree_.kind(type) != Kind::kGlobal || stack_.back() != kEmptyTuple) return Misused();
    if (!IsModuleClass(tree_.text(type))) return Refused("its pickle makes an object of ", Shown(tree_.text(type)));
    stack_.pop_back();
    return CollapseInto(Kind::kObject, stack_.size() - 1);
  }

  // The state of an OrderedDict is its `_metadata`, which nothing here needs.
  absl::Status Build() {
    if (!HaveOperands(2)) return Misused();
    const PickleId target = stack_[stack_.size() - 2];
    if (tree_.kind(target) == Kind::kDict) {
      stack_.pop_back();
      return absl::OkStatus();
    }
    if (tree_.kind(target) != Kind::kObject) return Misused();
    MoveToChildren(target, stack_.size() - 1);
    return absl::OkStatus();
  }

  const absl::string_view pickle_;
  const PickleDialect dialect_;
  size_t at_ = 0;
  uint8_t opcode_ = 0;
  bool stopped_ = false;
  std::vector<PickleId> stack_;
  std::vector<size_t> marks_;  // stack sizes
  std::vector<PickleId> memo_;
  PickleTree tree_;
};

absl::StatusOr<PickleTree> ReadPickle(absl::string_view pickle, PickleDialect dialect) {
  return PickleMachine(pickle, dialect).Run();
}

}  // namespace digit
