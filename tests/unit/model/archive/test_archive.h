// Small model files in torch's layout, for tests and fuzzing.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/unit/model/archive/zip_writer.h"

namespace digit {

ZipEntry Entry(const std::string& name, const std::string& data);

// The bytes of 0, 1, 2, ... as float32.
std::string Floats(int count);

// The records of a state_dict, resp. of a TorchScript archive, that has `pickle` and one storage, data/0.
std::vector<ZipEntry> StateDictEntries(const std::string& pickle, const std::string& storage);
std::vector<ZipEntry> TorchScriptEntries(const std::string& pickle, const std::string& storage);

}  // namespace digit
