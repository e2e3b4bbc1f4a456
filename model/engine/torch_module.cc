#include "model/engine/torch_module.h"

#include <dlfcn.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/build_info.h"

namespace digit {
namespace {

constexpr absl::string_view kHowToGetIt =
    "in a build tree, deploy/quickstart --no-start builds it; else it is in the package digit-torch";

absl::Status Unusable(absl::string_view path, absl::string_view problem, absl::string_view advice = kHowToGetIt) {
  return absl::FailedPreconditionError(absl::StrCat("the LibTorch module '", path, "' ", problem, " (", advice, ")"));
}

}  // namespace

std::string DefaultTorchModulePath() {
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  return (program.parent_path() / "../lib/digit/libdigit_torch.so").lexically_normal().string();
}

absl::StatusOr<EngineFactory*> LoadTorchModule(const std::string& path) {
  if (::access(path.c_str(), R_OK) != 0) return Unusable(path, "is missing or not readable");
  // RTLD_NOW: a symbol that is missing shows here and not in the middle of a request.
  void* module = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (module == nullptr)
    return Unusable(path, absl::StrCat("cannot be loaded: ", ::dlerror()), "it needs the Debian package libtorch1.13");
  const auto build_id = reinterpret_cast<const char* (*)()>(::dlsym(module, kTorchBuildIdSymbol));
  if (build_id == nullptr) return Unusable(path, "is some other library");
  if (absl::string_view(build_id()) != AbiId()) {
    return Unusable(path, absl::StrCat("is of build '", build_id(), "', this program is '", AbiId(), "'"));
  }
  const auto factory = reinterpret_cast<EngineFactory* (*)()>(::dlsym(module, kTorchFactorySymbol));
  if (factory == nullptr) return Unusable(path, absl::StrCat("lacks ", kTorchFactorySymbol));
  return factory();
}

}  // namespace digit
