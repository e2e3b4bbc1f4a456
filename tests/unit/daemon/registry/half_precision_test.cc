// On a GPU: half precision only where it gives the classes of single precision.
#include "gmock/gmock.h"
#include "tests/unit/daemon/registry/registry_fixture.h"

namespace digit {
namespace {

// The CPU engine, said to be of some precision; half changes the scores of the picture that begins with `differs_at`.
class GivenPrecision : public InferenceEngine {
 public:
  GivenPrecision(std::unique_ptr<InferenceEngine> engine, Precision precision, int differs_at)
      : engine_(std::move(engine)), precision_(precision), differs_at_(differs_at) {}
  absl::Status Infer(absl::Span<const uint8_t> pixels, absl::Span<float> scores) override {
    RETURN_IF_ERROR(engine_->Infer(pixels, scores));
    for (size_t i = 0; precision_ == Precision::kHalf && i < pixels.size() / kImagePixels; ++i) {
      if (pixels[i * kImagePixels] == differs_at_) scores[i * 10 + 9] = 1000;
    }
    return absl::OkStatus();
  }
  int num_classes() const override { return engine_->num_classes(); }
  absl::string_view name() const override { return precision_ == Precision::kHalf ? "half" : "single"; }
  Precision precision() const override { return precision_; }

 private:
  const std::unique_ptr<InferenceEngine> engine_;
  const Precision precision_;
  const int differs_at_;
};

class HalfEngines : public EngineFactory {
 public:
  explicit HalfEngines(int differs_at) : differs_at_(differs_at) {}
  absl::StatusOr<std::unique_ptr<InferenceEngine>> Create(const Model& model, const Device&,
                                                          Precision precision) override {
    ASSIGN_OR_RETURN(std::unique_ptr<InferenceEngine> engine, engines_->EngineFactory::Create(model, Device{}));
    return std::make_unique<GivenPrecision>(std::move(engine), precision, differs_at_);
  }

 private:
  const int differs_at_;
  const std::unique_ptr<EngineFactory> engines_ = MakeEngineFactory({.engine = EngineChoice::kCpu});
};

// The engine that serves the shipped model on a GPU, with two validation pictures or without any.
std::string EngineThatServes(int differs_at, bool with_pictures, const std::string& path) {
  HalfEngines engines(differs_at);
  const auto pool =
      *Pool::Create({.devices = {{Device::Kind::kCuda, 0}}, .max_gpu_batch_size = 4, .engines = &engines});
  const auto images = std::make_shared<LabeledImages>();
  images->pixels = std::vector<uint8_t>(size_t{2} * kImagePixels);
  images->pixels[0] = 1;
  images->pixels[kImagePixels] = 2;
  images->labels = {0, 0};
  ModelRegistry registry(
      {.pool = pool.get(),
       .gate_images = [&](const std::string&) -> absl::StatusOr<std::shared_ptr<const LabeledImages>> {
         return with_pictures ? images : nullptr;
       }});
  EXPECT_EQ(registry.Load("mnist", path, kNow), absl::OkStatus());
  return std::string((*registry.Find("", ""))->placed->engine_name());
}

TEST_F(RegistryTest, OnAGpuHalfPrecisionServesWhereEveryClassStays) {
  EXPECT_EQ(EngineThatServes(/*differs_at=*/3, /*with_pictures=*/true, path()), "half");
}

TEST_F(RegistryTest, OnAGpuOneOtherClassIsEnoughForSinglePrecision) {
  EXPECT_EQ(EngineThatServes(/*differs_at=*/2, /*with_pictures=*/true, path()), "single");
  EXPECT_EQ(EngineThatServes(/*differs_at=*/2, /*with_pictures=*/false, path()), "half");  // nobody saw it
}

}  // namespace
}  // namespace digit
