#include "model/archive/tensor_reader.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status.h"
#include "model/archive/quoted.h"

namespace digit {
namespace {

using Kind = PickleValue::Kind;

constexpr size_t kMaxDimensions = 8;
constexpr size_t kMaxModuleDepth = 64;
constexpr size_t kMaxKeyBytes = 64;  // torch writes decimal numbers

template <typename... Parts>
absl::Status Wrong(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat("the file is refused: ", parts...));
}

// What _rebuild_tensor_v2 was asked for. Sizes and strides are in elements.
struct Layout {
  absl::string_view dtype;  // "Float", as in torch.FloatStorage
  absl::string_view key;    // the record's last name part
  int64_t storage_elements = 0;
  int64_t offset = 0;
  std::vector<int64_t> shape, strides;
  int64_t elements = 0;
  bool is_contiguous = true;
};

// Copies tensors out of the archive and keeps count of what they take.
class TensorReader {
 public:
  TensorReader(const PickleTree& tree, const TensorSource& source)
      : tree_(tree), source_(source), elements_left_(static_cast<int64_t>(source.archive_bytes / sizeof(float)) * 2) {}

  // The tensor call in `id`, out of any _rebuild_parameter around it; or `id` itself when it is something else.
  PickleId Unwrap(PickleId id) const {
    for (int i = 0; i < 2 && tree_.kind(id) == Kind::kCall; ++i) {
      const std::vector<PickleId> call = tree_.children(id, 2);
      const std::vector<PickleId> arguments = tree_.children(call[1], 1);
      if (!tree_.IsGlobal(call[0], "torch._utils\n_rebuild_parameter") || arguments.empty()) break;
      id = arguments[0];
    }
    return id;
  }

  bool IsTensor(PickleId id) const {
    return tree_.kind(id) == Kind::kCall &&
           tree_.IsGlobal(tree_.children(id, 1)[0], "torch._utils\n_rebuild_tensor_v2");
  }

  // The arguments of a call for which IsTensor() holds; everything is checked but the dtype and the record.
  absl::StatusOr<Layout> ReadLayout(PickleId call, absl::string_view name) const {
    const std::vector<PickleId> arguments = tree_.children(tree_.children(call, 2)[1], 4);
    if (arguments.size() < 4 || tree_.kind(arguments[0]) != Kind::kStorage || tree_.kind(arguments[1]) != Kind::kInt) {
      return Wrong("tensor ", Quoted(name), " has malformed arguments");
    }
    const std::vector<PickleId> storage = tree_.children(arguments[0], 5);
    Layout layout;
    layout.key = tree_.text(storage[2]);
    layout.storage_elements = tree_.integer(storage[4]);
    layout.offset = tree_.integer(arguments[1]);
    layout.dtype = absl::StripSuffix(tree_.text(storage[1]), "Storage");
    layout.dtype.remove_prefix(layout.dtype.find('\n') + 1);
    if (!ReadNumbers(arguments[2], &layout.shape) || !ReadNumbers(arguments[3], &layout.strides) ||
        layout.shape.size() != layout.strides.size() || layout.offset < 0 || layout.storage_elements < 0) {
      return Wrong("tensor ", Quoted(name), " has a malformed shape, strides or offset (at most ", kMaxDimensions,
                   " dimensions, nothing negative)");
    }
    RETURN_IF_ERROR(CheckBounds(name, &layout));
    return layout;
  }

  bool Fits(const Layout& layout) const { return layout.elements <= elements_left_; }

  absl::StatusOr<NamedTensor> Copy(std::string name, const Layout& layout) {
    if (!Fits(layout)) {
      return Wrong("tensor ", Quoted(name), " has ", layout.elements,
                   " elements; all tensors together may take at most twice the file's size");
    }
    const ZipRecord* record = source_.zip.Find(absl::StrCat(source_.prefix, layout.key));
    if (record == nullptr) return Wrong("the values of tensor ", Quoted(name), " are missing from the archive");
    if (!record->stored || record->data.size() / sizeof(float) != static_cast<uint64_t>(layout.storage_elements) ||
        record->data.size() % sizeof(float) != 0) {
      return Wrong("record ", Quoted(record->name), " has ", record->data.size(), " bytes, tensor ", Quoted(name),
                   " needs ", layout.storage_elements, " float32 values, not compressed");
    }
    elements_left_ -= layout.elements;
    NamedTensor tensor{.name = std::move(name), .shape = layout.shape, .values = {}};
    tensor.values.resize(layout.elements);
    CopyValues(layout, record->data.data(), tensor.values);
    return tensor;
  }

 private:
  bool ReadNumbers(PickleId id, std::vector<int64_t>* numbers) const {
    if (tree_.kind(id) != Kind::kTuple || tree_.size(id) > kMaxDimensions) return false;
    for (const PickleId child : tree_.children(id, kMaxDimensions)) {
      if (tree_.kind(child) != Kind::kInt || tree_.integer(child) < 0) return false;
      numbers->push_back(tree_.integer(child));
    }
    return true;
  }

  // Fills in `elements` and `is_contiguous`; the last element must lie inside the storage.
  static absl::Status CheckBounds(absl::string_view name, Layout* layout) {
    const bool is_empty = std::find(layout->shape.begin(), layout->shape.end(), 0) != layout->shape.end();
    bool overflows =
        std::any_of(layout->shape.begin(), layout->shape.end(), [](int64_t n) { return n > kMaxModelFileBytes; });
    int64_t elements = 1, last = layout->offset;
    for (size_t i = layout->shape.size(); i-- > 0 && !is_empty;) {
      layout->is_contiguous = layout->is_contiguous && (layout->strides[i] == elements || layout->shape[i] == 1);
      int64_t reach = 0;
      if (layout->shape[i] == 1) layout->strides[i] = 0;  // never used, and may be anything
      overflows = overflows || __builtin_mul_overflow(layout->shape[i] - 1, layout->strides[i], &reach) ||
                  __builtin_add_overflow(last, reach, &last) ||
                  __builtin_mul_overflow(elements, layout->shape[i], &elements);
    }
    layout->elements = is_empty ? 0 : elements;
    if (overflows || (!is_empty && last >= layout->storage_elements)) {
      return Wrong("tensor ", Quoted(name), " reaches beyond its storage of ", layout->storage_elements, " elements");
    }
    return absl::OkStatus();
  }

  static void CopyValues(const Layout& layout, const char* storage, std::vector<float>& values) {
    if (layout.elements == 0) return;
    if (layout.is_contiguous) {
      std::memcpy(values.data(), storage + layout.offset * sizeof(float), values.size() * sizeof(float));
      return;
    }
    std::vector<int64_t> index(layout.shape.size(), 0);
    int64_t at = layout.offset;
    for (float& value : values) {
      std::memcpy(&value, storage + at * sizeof(float), sizeof(float));
      for (size_t i = layout.shape.size(); i-- > 0;) {  // the next index, last dimension fastest
        at += layout.strides[i];
        if (++index[i] < layout.shape[i]) break;
        at -= layout.strides[i] * layout.shape[i];
        index[i] = 0;
      }
    }
  }

  const PickleTree& tree_;
  const TensorSource& source_;
  int64_t elements_left_;
};

// A dict among the entries is most likely the state_dict that was meant; the key "epoch" may well come first.
absl::Status NotATensor(const PickleTree& tree, const std::vector<PickleId>& entries, size_t at) {
  for (size_t i = 0; i + 1 < entries.size(); i += 2) {
    if (tree.kind(entries[i + 1]) != Kind::kDict || tree.kind(entries[i]) != Kind::kString) continue;
    const std::string key = Quoted(tree.text(entries[i]));
    return absl::InvalidArgumentError(
        absl::StrCat("the file is a checkpoint with a dict under ", key, ", not a state_dict: if that holds the ",
                     "weights, in Python, torch.save(torch.load(FILE)[", key, "], NEW_FILE)"));
  }
  return Wrong("its entry ", Quoted(tree.text(entries[at])), " is no tensor; save model.state_dict() alone");
}

absl::Status CheckIsDict(const PickleTree& tree) {
  const char* what = nullptr;
  switch (tree.kind(tree.root())) {
    case Kind::kDict:
      return absl::OkStatus();
    case Kind::kCall:
      what = "a single tensor";
      break;
    case Kind::kList:
    case Kind::kTuple:
      what = "a list";
      break;
    default:
      what = "something";
      break;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("the file is ", what, " saved by torch.save, not a model: save model.state_dict()"));
}

}  // namespace

absl::StatusOr<std::vector<NamedTensor>> ReadStateDict(const PickleTree& tree, const TensorSource& source) {
  RETURN_IF_ERROR(CheckIsDict(tree));
  TensorReader reader(tree, source);
  std::vector<NamedTensor> tensors;
  std::set<absl::string_view> names;
  const std::vector<PickleId> entries = tree.children(tree.root(), tree.size(tree.root()));
  for (size_t i = 0; i + 1 < entries.size(); i += 2) {
    if (tree.kind(entries[i]) != Kind::kString) return Wrong("a key of its dict is no string");
    const absl::string_view name = tree.text(entries[i]);
    const PickleId value = reader.Unwrap(entries[i + 1]);
    if (!names.insert(name).second) return Wrong("two tensors are named ", Quoted(name));
    if (!reader.IsTensor(value)) return NotATensor(tree, entries, i);
    ASSIGN_OR_RETURN(Layout layout, reader.ReadLayout(value, name));
    if (layout.dtype != "Float") {
      return Wrong("tensor ", Quoted(name), " holds ", absl::AsciiStrToLower(Quoted(layout.dtype)),
                   " values, only float32 is read; save model.float().state_dict()");
    }
    ASSIGN_OR_RETURN(NamedTensor tensor, reader.Copy(std::string(name), std::move(layout)));
    tensors.push_back(std::move(tensor));
  }
  if (tensors.empty()) return Wrong("its state_dict is empty");
  return tensors;
}

namespace {

// Walks a module's attributes depth first. A module may be reached by many paths, in a forged file by more than can be
// walked: the paths of all attributes together may have four times the archive's bytes.
class ModuleWalk {
 public:
  ModuleWalk(const PickleTree& tree, const TensorSource& source)
      : tree_(tree), reader_(tree, source), path_bytes_left_(4 * source.archive_bytes) {}

  absl::Status Visit(PickleId object, const std::string& prefix, size_t depth) {
    if (depth > kMaxModuleDepth) return Wrong("its modules nest deeper than ", kMaxModuleDepth);
    const std::vector<PickleId> parts = tree_.children(object, 2);
    if (parts.size() != 2 || tree_.kind(parts[1]) != Kind::kDict) return absl::OkStatus();
    const std::vector<PickleId> attributes = tree_.children(parts[1], tree_.size(parts[1]));
    for (size_t i = 0; i + 1 < attributes.size(); i += 2) {
      if (tree_.kind(attributes[i]) != Kind::kString) return Wrong("an attribute's name is no string");
      const size_t path_bytes = prefix.size() + tree_.size(attributes[i]) + 1;
      if (path_bytes > path_bytes_left_) return Wrong("its modules have more attributes than such a file can hold");
      path_bytes_left_ -= path_bytes;
      RETURN_IF_ERROR(
          VisitAttribute(absl::StrCat(prefix, tree_.text(attributes[i])), reader_.Unwrap(attributes[i + 1]), depth));
    }
    return absl::OkStatus();
  }

  std::vector<NamedTensor> TakeTensors() { return std::move(tensors_); }

 private:
  absl::Status VisitAttribute(const std::string& path, PickleId value, size_t depth) {
    if (tree_.kind(value) == Kind::kObject) return Visit(value, path + ".", depth + 1);
    if (!reader_.IsTensor(value)) return absl::OkStatus();
    ASSIGN_OR_RETURN(Layout layout, reader_.ReadLayout(value, path));
    if (layout.dtype != "Float" || !reader_.Fits(layout)) return absl::OkStatus();
    if (!names_.insert(path).second) return Wrong("two tensors are named ", Quoted(path));
    ASSIGN_OR_RETURN(NamedTensor tensor, reader_.Copy(path, std::move(layout)));
    tensors_.push_back(std::move(tensor));
    return absl::OkStatus();
  }

  const PickleTree& tree_;
  TensorReader reader_;
  std::set<std::string> names_;
  std::vector<NamedTensor> tensors_;
  size_t path_bytes_left_;
};

}  // namespace

absl::StatusOr<std::vector<NamedTensor>> ReadModuleTensors(const PickleTree& tree, const TensorSource& source) {
  if (tree.kind(tree.root()) != Kind::kObject) return Wrong("its data.pkl holds no module");
  ModuleWalk walk(tree, source);
  RETURN_IF_ERROR(walk.Visit(tree.root(), "", 0));
  return walk.TakeTensors();
}

namespace {

// Bytes of an element; 0: no type that LibTorch 1.13 to 2.x writes.
uint64_t ElementBytes(absl::string_view storage_class) {
  constexpr std::pair<absl::string_view, uint64_t> kTypes[] = {
      {"Float", 4},       {"Double", 8},  {"Half", 2},         {"BFloat16", 2},      {"Long", 8},
      {"Int", 4},         {"Short", 2},   {"Char", 1},         {"Byte", 1},          {"Bool", 1},
      {"QInt8", 1},       {"QUInt8", 1},  {"QInt32", 4},       {"QUInt4x2", 1},      {"QUInt2x4", 1},
      {"ComplexHalf", 4}, {"Untyped", 1}, {"ComplexFloat", 8}, {"ComplexDouble", 16}};
  for (const auto& [name, bytes] : kTypes) {
    if (absl::EndsWith(storage_class, absl::StrCat("\n", name, "Storage"))) return bytes;
  }
  return 0;
}

}  // namespace

absl::Status CheckStorages(const PickleTree& tree, const TensorSource& source) {
  uint64_t bytes_left = 2 * uint64_t{source.archive_bytes};
  for (size_t id = 0; id < tree.num_values(); ++id) {
    if (tree.kind(static_cast<PickleId>(id)) != Kind::kStorage) continue;
    const std::vector<PickleId> storage = tree.children(static_cast<PickleId>(id), 5);
    const uint64_t element_bytes = ElementBytes(tree.text(storage[1]));
    if (element_bytes == 0) return Wrong("it has a storage of an unknown type, ", Quoted(tree.text(storage[1])));
    // So that a file of many storages with long keys cannot take minutes.
    if (tree.size(storage[2]) > kMaxKeyBytes) {
      return Wrong("it has a storage with a key of ", tree.size(storage[2]), " bytes, the limit is ", kMaxKeyBytes);
    }
    const std::string name = absl::StrCat(source.prefix, tree.text(storage[2]));
    const ZipRecord* record = source.zip.Find(name);
    if (record == nullptr) return Wrong("the record ", Quoted(name), " with values of a tensor is missing");
    const int64_t elements = tree.integer(storage[4]);
    if (!record->stored || elements < 0 || static_cast<uint64_t>(elements) > record->data.size() / element_bytes) {
      return Wrong("record ", Quoted(name), " has ", record->data.size(), " bytes, too few for ", elements,
                   " elements of ", element_bytes);
    }
    if (record->data.size() > bytes_left) {
      return Wrong("its storages take more than twice the file's size: the same record is named again and again");
    }
    bytes_left -= record->data.size();
  }
  return absl::OkStatus();
}

}  // namespace digit
