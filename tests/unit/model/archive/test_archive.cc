#include "tests/unit/model/archive/test_archive.h"

namespace digit {

ZipEntry Entry(const std::string& name, const std::string& data) {
  ZipEntry entry;
  entry.name = name;
  entry.data = data;
  return entry;
}

std::string Floats(int count) {
  std::string out;
  for (int i = 0; i < count; ++i) {
    const auto value = static_cast<float>(i);
    out.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }
  return out;
}

std::vector<ZipEntry> StateDictEntries(const std::string& pickle, const std::string& storage) {
  return {Entry("m/data.pkl", pickle), Entry("m/data/0", storage), Entry("m/version", "3\n")};
}

std::vector<ZipEntry> TorchScriptEntries(const std::string& pickle, const std::string& storage) {
  std::vector<ZipEntry> entries = StateDictEntries(pickle, storage);
  ZipEntry code = Entry("m/code/__torch__.py", "\x03");  // an empty deflate stream starts so; it is never read
  code.method = 8;
  code.inflated_bytes = 0;
  entries.push_back(code);
  entries.push_back(Entry("m/constants.pkl", "\x80\x02)."));
  entries.push_back(Entry("m/extra/model.json", "{\"format\": 1}"));
  return entries;
}

}  // namespace digit
