// Stands in for libdigit_torch.so, without LibTorch: built once as it should be and once with another build id, with
// which its factory must never be asked for.
#include <cstdlib>

#include "base/build_info.h"
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
  absl::StatusOr<std::unique_ptr<InferenceEngine>> Create(const Model&, const Device&) override {
    return std::unique_ptr<InferenceEngine>(new FakeTorchEngine);
  }
};

}  // namespace
}  // namespace digit

extern "C" const char* digit_torch_build_id() {
#ifdef DIGIT_OTHER_BUILD
  return "digit 0.0.1 other compiler";
#else
  return digit::BuildId();
#endif
}

extern "C" digit::EngineFactory* digit_torch_engine_factory() {
#ifdef DIGIT_OTHER_BUILD
  std::abort();
#else
  static digit::FakeTorchFactory factory;
  return &factory;
#endif
}
