// Loads LibTorch into the process, when it is needed and not before: 0.5-0.7 s and 155 MB.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "model/engine/inference_engine.h"

namespace digit {

// What libdigit_torch.so exports, with C linkage:
//   const char* digit_torch_build_id();            AbiId() of the build it comes from
//   EngineFactory* digit_torch_engine_factory();   never deleted
inline constexpr char kTorchBuildIdSymbol[] = "digit_torch_build_id";
inline constexpr char kTorchFactorySymbol[] = "digit_torch_engine_factory";

// ../lib/digit/libdigit_torch.so, seen from the folder of the running program; so it lies in the build tree and where
// it is installed.
std::string DefaultTorchModulePath();

// Loads the module at `path`, which is never unloaded, and returns its factory (not owned). What AbiId() says of both
// is compared before any C++ call. FAILED_PRECONDITION names the file and how to get it when it is missing, cannot be
// loaded or is of another build. Slow the first time, cheap after; thread-safe.
absl::StatusOr<EngineFactory*> LoadTorchModule(const std::string& path);

}  // namespace digit
