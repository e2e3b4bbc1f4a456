#include "tests/support/state_dict_file.h"

#include <cstdint>
#include <utility>

#include "tests/unit/model/archive/pickle_writer.h"
#include "tests/unit/model/archive/test_archive.h"

namespace digit {

std::string WriteStateDict(absl::Span<const NamedTensor> tensors) {
  std::vector<std::string> dict;
  std::vector<ZipEntry> storages;
  for (const NamedTensor& tensor : tensors) {
    std::vector<int64_t> strides(tensor.shape.size(), 1);
    for (size_t i = strides.size(); i-- > 1;) strides[i - 1] = strides[i] * tensor.shape[i];
    const std::string key = std::to_string(storages.size());
    dict.push_back(pickle::Text(tensor.name));
    dict.push_back(pickle::Tensor({.key = key,
                                   .storage_elements = static_cast<int64_t>(tensor.values.size()),
                                   .shape = tensor.shape,
                                   .strides = strides}));
    storages.push_back(Entry("m/data/" + key, std::string(reinterpret_cast<const char*>(tensor.values.data()),
                                                          tensor.values.size() * sizeof(float))));
  }
  std::vector<ZipEntry> entries = {Entry("m/data.pkl", pickle::kProto2 + pickle::Dict(dict) + ".")};
  for (ZipEntry& storage : storages) entries.push_back(std::move(storage));
  entries.push_back(Entry("m/version", "3\n"));
  return WriteZip(entries);
}

}  // namespace digit
