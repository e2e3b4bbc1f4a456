#include "model/archive/model_file.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
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
    file.kind = ModelFile::Kind::kStateDict;
    ASSIGN_OR_RETURN(const PickleTree tree, ReadPickle(pickle, PickleDialect::kStateDict));
    ASSIGN_OR_RETURN(file.tensors, ReadStateDict(tree, source));
    return file;
  }
  if (!HasCode(zip, root)) return Invalid("TorchScript without its code/: copy or save it again");
  file.kind = ModelFile::Kind::kTorchScript;
  ASSIGN_OR_RETURN(const PickleTree tree, ReadPickle(pickle, PickleDialect::kTorchScript));
  ASSIGN_OR_RETURN(file.tensors, ReadModuleTensors(tree, source));
  const ZipRecord* model_json = zip.Find(root + "extra/model.json");
  if (model_json != nullptr) file.model_json = std::string(model_json->data);
  return file;
}

}  // namespace digit
