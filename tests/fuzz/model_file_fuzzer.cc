// Feeds bytes to the archive reader: as a whole file, and as each pickle of an otherwise sound one.
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "model/archive/model_file.h"
#include "tests/unit/model/archive/test_archive.h"

namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

// What the header promises of every result.
void Check(const std::string& bytes) {
  const absl::StatusOr<digit::ModelFile> file = digit::ParseModelFile(bytes);
  if (!file.ok()) {
    Require(file.status().code() == absl::StatusCode::kInvalidArgument);
    Require(!file.status().message().empty() && file.status().message().find('\n') == absl::string_view::npos);
    return;
  }
  std::set<std::string> names;
  size_t total = 0;
  for (const digit::NamedTensor& tensor : file->tensors) {
    Require(names.insert(tensor.name).second);
    uint64_t elements = 1;
    for (const int64_t size : tensor.shape) elements *= static_cast<uint64_t>(size);
    Require(elements == tensor.values.size());
    total += tensor.values.size() * sizeof(float);
  }
  Require(total <= 2 * bytes.size() + sizeof(float));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  Check(bytes);
  if (bytes.substr(0, 1) == "\x80") {
    Check(digit::WriteZip(digit::StateDictEntries(bytes, digit::Floats(16))));
    Check(digit::WriteZip(digit::TorchScriptEntries(bytes, digit::Floats(16))));
    // An empty module beside constants that may name a storage.
    std::vector<digit::ZipEntry> entries = digit::TorchScriptEntries(
        "\x80\x02"
        "c__torch__\nNet\n)\x81}b.",
        "");
    for (digit::ZipEntry& entry : entries) {
      if (entry.name == "m/constants.pkl") entry.data = bytes;
    }
    entries.push_back(digit::Entry("m/constants/0", digit::Floats(16)));
    Check(digit::WriteZip(entries));
  }
  return 0;
}
