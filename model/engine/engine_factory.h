// Chooses the engine for a model and a device.
#pragma once

#include <memory>
#include <string>

#include "model/engine/inference_engine.h"

namespace digit {

enum class EngineChoice {
  kAuto,   // the CPU engine where it can, LibTorch for the rest
  kCpu,    // the CPU engine or nothing: no code of a model file ever runs
  kTorch,  // LibTorch for everything
};

struct EngineOptions {
  EngineChoice engine = EngineChoice::kAuto;
  std::string torch_module_path;  // empty: DefaultTorchModulePath()
};

// The module is loaded by the first Create() that needs it. Whether a foreign TorchScript (!model.is_digit_cnn) may run
// in a reload is for the registry to decide, before it calls Create(): here kAuto allows it.
std::unique_ptr<EngineFactory> MakeEngineFactory(EngineOptions options);

}  // namespace digit
