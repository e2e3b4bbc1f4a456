// The classes and functions that a pickle may name. Names are written as the pickle has them: module, newline, name.
#pragma once

#include "absl/strings/string_view.h"

namespace digit {

// Which classes a pickle may name.
enum class PickleDialect {
  // collections.OrderedDict, torch._utils._rebuild_tensor_v2 and _rebuild_parameter, the storage classes of torch.
  kStateDict,
  // Also __torch__.* (objects of the archive's own classes), complex numbers and the rest of torch.*, which LibTorch
  // checks again.
  kTorchScript,
};

bool IsAllowedClass(absl::string_view global, PickleDialect dialect);

bool IsStorageClass(absl::string_view global);    // torch.FloatStorage and its kin
bool IsTensorFunction(absl::string_view global);  // what builds a tensor or a parameter
bool IsModuleClass(absl::string_view global);     // __torch__.*: classes that a TorchScript archive brings along

}  // namespace digit
