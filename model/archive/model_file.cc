#include "model/archive/model_file.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status.h"
#include "model/archive/file_kind.h"
#include "model/archive/pickle_reader.h"
#include "model/archive/quoted.h"
#include "model/archive/tensor_reader.h"
#include "model/archive/zip_reader.h"

namespace digit {
namespace {

template <typename... Parts>
absl::Status Invalid(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat("the file is ", parts...));
}

// What the zip is when torch did not write it.
absl::Status NotATorchZip(const ZipDirectory& zip) {
  const auto& records = zip.records();
  const bool is_npz =
      std::any_of(records.begin(), records.end(), [](const ZipRecord& r) { return absl::EndsWith(r.name, ".npy"); });
  if (is_npz) return Invalid("a NumPy archive (.npz), not a PyTorch model: save model.state_dict() with torch.save");
  if (zip.Find("model.weights.h5") != nullptr) {
    return Invalid("a Keras model, not a PyTorch one: build it in PyTorch and save its state_dict() with torch.save");
  }
  return Invalid("a zip without data.pkl, not a PyTorch model: give a .pt file written by digit-train or PyTorch");
}

// torch puts all records into one folder, named by the file: "mnist/".
absl::StatusOr<std::string> FindRoot(const ZipDirectory& zip) {
  if (zip.records().empty()) return NotATorchZip(zip);
  const absl::string_view first = zip.records().front().name;
  std::string root(first.substr(0, first.find('/') + 1));
  if (root.empty() || zip.Find(absl::StrCat(root, "data.pkl")) == nullptr) return NotATorchZip(zip);
  for (const ZipRecord& record : zip.records()) {
    if (!absl::StartsWith(record.name, root)) {
      return Invalid("a forged zip: record ", Quoted(record.name), " lies outside of ", Quoted(root));
    }
  }
  return root;
}

// torch deflates code/ only, which is never read here.
absl::Status CheckStored(const ZipDirectory& zip, absl::string_view root) {
  const std::string code = absl::StrCat(root, "code/");
  for (const ZipRecord& record : zip.records()) {
    if (!record.stored && !absl::StartsWith(record.name, code)) {
      return Invalid("not as torch wrote it: record ", Quoted(record.name),
                     " is compressed; use the original file, not one that was zipped again");
    }
  }
  return absl::OkStatus();
}

bool HasCode(const ZipDirectory& zip, absl::string_view root) {
  const std::string code = absl::StrCat(root, "code/");
  return std::any_of(zip.records().begin(), zip.records().end(),
                     [&code](const ZipRecord& record) { return absl::StartsWith(record.name, code); });
}

// DataParallel and torch.compile wrap a network, and its state_dict then names every tensor with the wrapper first.
void TakeOffWrappers(std::vector<NamedTensor>* tensors) {
  for (const absl::string_view wrapper : {"_orig_mod.", "module.", "_orig_mod."}) {
    const bool wrapped = std::all_of(tensors->begin(), tensors->end(), [wrapper](const NamedTensor& tensor) {
      return absl::StartsWith(tensor.name, wrapper);
    });
    for (NamedTensor& tensor : *tensors) tensor.name.erase(0, wrapped ? wrapper.size() : 0);
  }
}

absl::Status CheckVersion(const ZipRecord* version) {
  if (version == nullptr) return Invalid("TorchScript without its record version: copy or save it again");
  absl::string_view digits = version->data;
  absl::ConsumeSuffix(&digits, "\n");
  const bool is_small =
      !digits.empty() && digits.size() <= 3 && std::all_of(digits.begin(), digits.end(), absl::ascii_isdigit);
  if (is_small) return absl::OkStatus();
  return Invalid("TorchScript whose version is ", Quoted(version->data), ", no small number: copy or save it again");
}

// What LibTorch reads besides data.pkl, before anything runs.
absl::Status CheckForLibTorch(const ZipDirectory& zip, const std::string& root, size_t archive_bytes) {
  if (!HasCode(zip, root)) return Invalid("TorchScript without its code/: copy or save it again");
  if (zip.Find(root + "model.json") != nullptr) {  // LibTorch would take another way through it, made for such files
    return Invalid("TorchScript of PyTorch 1.3 or older: load it there and save it with a newer one");
  }
  const ZipRecord* package_version = zip.Find(root + ".data/version");  // LibTorch prefers it
  RETURN_IF_ERROR(CheckVersion(package_version != nullptr ? package_version : zip.Find(root + "version")));
  const absl::string_view constants = zip.Find(root + "constants.pkl")->data;
  const absl::StatusOr<PickleTree> tree = ReadPickle(constants, PickleDialect::kTorchScript);
  absl::Status status = tree.status();
  if (tree.ok() && tree->kind(tree->root()) != PickleValue::Kind::kTuple) {
    status = absl::InvalidArgumentError("the file is refused: its constants are no tuple");
  }
  if (status.ok()) {
    status = CheckStorages(*tree, {.zip = zip, .prefix = root + "constants/", .archive_bytes = archive_bytes});
  }
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(status.message(), " (in constants.pkl)"));
}

}  // namespace

absl::StatusOr<ModelFile> ParseModelFile(absl::string_view bytes) {
  if (bytes.size() > static_cast<uint64_t>(kMaxModelFileBytes)) {
    return Invalid("too large: ", bytes.size(), " bytes, the limit is ", kMaxModelFileBytes);
  }
  if (!absl::StartsWith(bytes, "PK\x03\x04") && !absl::StartsWith(bytes, "PK\x05\x06")) return NotAnArchive(bytes);
  ASSIGN_OR_RETURN(const ZipDirectory zip, ZipDirectory::Read(bytes));
  ASSIGN_OR_RETURN(const std::string root, FindRoot(zip));
  RETURN_IF_ERROR(CheckStored(zip, root));
  const ZipRecord* byte_order = zip.Find(root + "byteorder");
  if (byte_order != nullptr && byte_order->data != "little") {
    return Invalid("of a big-endian machine (byteorder ", Quoted(byte_order->data),
                   "): save it on a little-endian one");
  }

  const absl::string_view pickle = zip.Find(root + "data.pkl")->data;
  const TensorSource source{.zip = zip, .prefix = root + "data/", .archive_bytes = bytes.size()};
  ModelFile file;
  if (zip.Find(root + "constants.pkl") == nullptr) {
    if (HasCode(zip, root)) return Invalid("TorchScript without its constants.pkl: copy or save it again");
    file.kind = ModelFile::Kind::kStateDict;
    ASSIGN_OR_RETURN(const PickleTree tree, ReadPickle(pickle, PickleDialect::kStateDict));
    ASSIGN_OR_RETURN(file.tensors, ReadStateDict(tree, source));
    TakeOffWrappers(&file.tensors);
    return file;
  }
  RETURN_IF_ERROR(CheckForLibTorch(zip, root, bytes.size()));
  file.kind = ModelFile::Kind::kTorchScript;
  ASSIGN_OR_RETURN(const PickleTree tree, ReadPickle(pickle, PickleDialect::kTorchScript));
  RETURN_IF_ERROR(CheckStorages(tree, source));
  ASSIGN_OR_RETURN(file.tensors, ReadModuleTensors(tree, source));
  const ZipRecord* model_json = zip.Find(root + "extra/model.json");
  if (model_json != nullptr) file.model_json = std::string(model_json->data);
  return file;
}

}  // namespace digit
