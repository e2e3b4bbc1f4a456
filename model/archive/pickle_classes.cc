#include "model/archive/pickle_classes.h"

#include "absl/strings/match.h"

namespace digit {

bool IsStorageClass(absl::string_view global) {
  return global == "torch.storage\nUntypedStorage" || global == "torch.storage\nTypedStorage" ||
         (absl::StartsWith(global, "torch\n") && absl::EndsWith(global, "Storage"));
}

bool IsTensorFunction(absl::string_view global) {
  return global == "torch._utils\n_rebuild_tensor_v2" || global == "torch._utils\n_rebuild_parameter";
}

bool IsModuleClass(absl::string_view global) {
  return absl::StartsWith(global, "__torch__\n") || absl::StartsWith(global, "__torch__.");
}

bool IsAllowedClass(absl::string_view global, PickleDialect dialect) {
  if (global == "collections\nOrderedDict" || IsTensorFunction(global) || IsStorageClass(global)) return true;
  return dialect == PickleDialect::kTorchScript &&
         (IsModuleClass(global) || absl::StartsWith(global, "torch\n") || absl::StartsWith(global, "torch.") ||
          global == "builtins\ncomplex");
}

}  // namespace digit
