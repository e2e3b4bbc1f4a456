// Stands in for libdigit_torch.so, without LibTorch: built once as it should be and once as a build whose C++ objects
// are of another layout (DIGIT_OTHER_BUILD), whose factory must never be asked for.
#include <cstdlib>

#include "base/build_info.h"
#ifndef DIGIT_OTHER_BUILD
#include "model/engine/inference_engine.h"

namespace digit {
namespace {

class FakeTorchEngine : public InferenceEngine {
  absl::Status Infer(absl::Span<const uint8_t>, absl::Span<float> scores) override {
    for (float& score : scores) score = 0.5f;
    return absl::OkStatus();
  }
  int num_classes() const override { return 3; }
  absl::string_view name() const override { return "fake-torch"; }
};

class FakeTorchFactory : public EngineFactory {
  absl::StatusOr<std::unique_ptr<InferenceEngine>> Create(const Model&, const Device&, Precision) override {
    return std::unique_ptr<InferenceEngine>(new FakeTorchEngine);
  }
  int CountGpus() override { return 2; }
};

}  // namespace
}  // namespace digit
#endif

extern "C" const char* digit_torch_build_id() { return digit::AbiId(); }

#ifdef DIGIT_OTHER_BUILD
extern "C" void* digit_torch_engine_factory() { std::abort(); }
#else
extern "C" digit::EngineFactory* digit_torch_engine_factory() {
  static digit::FakeTorchFactory factory;
  return &factory;
}
#endif
