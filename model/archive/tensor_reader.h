// Finds the float32 tensors in a pickle's tree and copies their values out of the archive's records.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/archive/model_file.h"
#include "model/archive/pickle_tree.h"
#include "model/archive/zip_reader.h"

namespace digit {

// Every size, stride and offset is checked against the record that holds the values. All tensors together hold at
// most twice the bytes of `archive_bytes`, so that expanded or shared storages cannot multiply memory.
struct TensorSource {
  const ZipDirectory& zip;
  std::string prefix;  // of the records with values: "mnist/data/"
  size_t archive_bytes;
};

// The root must be a dict from names to float32 tensors. INVALID_ARGUMENT names the entry and what is wrong with it; a
// checkpoint that holds a state_dict among other things is told how to get it out.
absl::StatusOr<std::vector<NamedTensor>> ReadStateDict(const PickleTree& tree, const TensorSource& source);

// The tensors in the attributes of the root object, and of objects in those, named by path ("conv1.weight"). Leaves
// out what is no plain float32 tensor; INVALID_ARGUMENT when a tensor's storage is missing or too small.
absl::StatusOr<std::vector<NamedTensor>> ReadModuleTensors(const PickleTree& tree, const TensorSource& source);

// INVALID_ARGUMENT unless each storage that `tree` names, used or not and of whatever type, has a record that holds it:
// LibTorch 1.13 believes the pickle and reads beyond the record's end. Also when records are named so often that the
// copies, of which it makes one each time, would take more than twice the file's size.
absl::Status CheckStorages(const PickleTree& tree, const TensorSource& source);

}  // namespace digit
