#include "model/engine/reference_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "model/engine/cpu_engine.h"
#include "model/engine/scalar_reference.h"
#include "tests/unit/model/engine/random_model.h"

namespace digit {
namespace {

using ::testing::HasSubstr;

// The CPU engine with one output of one image moved.
class OffEngine : public InferenceEngine {
 public:
  OffEngine(const Model& model, int image, int output, float by)
      : engine_(*CpuEngine::Create(model)), image_(image), output_(output), by_(by) {}
  absl::Status Infer(absl::Span<const uint8_t> pixels, absl::Span<float> scores) override {
    batches_.push_back(static_cast<int>(pixels.size() / kImagePixels));
    const absl::Status status = engine_->Infer(pixels, scores);
    const int row = image_ - seen_;
    if (row >= 0 && row < batches_.back()) scores[row * num_classes() + output_] += by_;
    seen_ += batches_.back();
    return status;
  }
  int num_classes() const override { return engine_->num_classes(); }
  absl::string_view name() const override { return "off"; }
  const std::vector<int>& batches() const { return batches_; }

 private:
  const std::unique_ptr<InferenceEngine> engine_;
  const int image_, output_;
  const float by_;
  int seen_ = 0;
  std::vector<int> batches_;
};

class FailingEngine : public OffEngine {
 public:
  explicit FailingEngine(const Model& model) : OffEngine(model, 0, 0, 0) {}
  absl::Status Infer(absl::Span<const uint8_t>, absl::Span<float>) override { return absl::InternalError("broken"); }
};

Model WithReference(Model model, int images) {
  model.spec.reference.pixels = RandomImages(3, images);
  model.spec.reference.logits.resize(images * model.spec.labels.size());
  const DigitCnn net = *FindDigitCnn(model.file.tensors);
  for (int i = 0; i < images; ++i) {
    ScalarForward(net, absl::MakeConstSpan(model.spec.reference.pixels).subspan(i * kImagePixels, kImagePixels),
                  absl::MakeSpan(model.spec.reference.logits).subspan(i * net.num_classes, net.num_classes));
  }
  return model;
}

absl::Status Check(const Model& model, int image, int output, float by) {
  OffEngine engine(model, image, output, by);
  return CheckReference(engine, model);
}

TEST(ReferenceCheckTest, PassesTheCpuEngineInGrowingBatches) {
  const Model model = WithReference(RandomModel(1), 13);
  OffEngine engine(model, 0, 0, 0);
  EXPECT_TRUE(CheckReference(engine, model).ok());
  EXPECT_THAT(engine.batches(), ::testing::ElementsAre(1, 2, 4, 6));
}

TEST(ReferenceCheckTest, SaysWhichImageAndOutputAndByHowMuch) {
  const Model model = WithReference(RandomModel(1), 13);
  const absl::Status status = Check(model, 5, 7, 0.5f);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("output 7 of the off engine for check image 5 is "));
  EXPECT_THAT(std::string(status.message()), HasSubstr(": off by 0.5, allowed "));
}

TEST(ReferenceCheckTest, AllowsAShareOfTheLargestLogit) {
  Model model = RandomModel(1);
  for (float& bias : model.file.tensors[7].values) bias += 50;  // logits near 50: 5e-3 is allowed
  model = WithReference(std::move(model), 3);
  EXPECT_TRUE(Check(model, 1, 0, 4e-3f).ok());
  EXPECT_FALSE(Check(model, 1, 0, 8e-3f).ok());
}

TEST(ReferenceCheckTest, RefusesAnotherClassThatTheReferencePutsFurtherBehindThanTheTolerance) {
  // Two outputs 1.5e-4 apart: each within 1e-4 of its reference, and yet the classes change places.
  Model model = WithReference(RandomModel(1), 1);
  for (float& weight : model.file.tensors[6].values) weight = 0;
  model.file.tensors[7].values = {1.00015f - 0.00009f, 1 + 0.00009f, 0, 0, 0, 0, 0, 0, 0, 0};
  model.spec.reference.logits = {1.00015f, 1, 0, 0, 0, 0, 0, 0, 0, 0};
  const absl::Status status = Check(model, 0, 0, 0);
  EXPECT_THAT(std::string(status.message()), HasSubstr("puts check image 0 into class 1, the reference into 0"));
  // As close as the tolerance, either will do.
  model.file.tensors[7].values = {1.00005f, 1.00006f, 0, 0, 0, 0, 0, 0, 0, 0};
  model.spec.reference.logits = {1.00008f, 1, 0, 0, 0, 0, 0, 0, 0, 0};
  EXPECT_TRUE(Check(model, 0, 0, 0).ok()) << Check(model, 0, 0, 0);
}

TEST(ReferenceCheckTest, WithoutReferenceComparesTheDigitNetworkWithTheScalarPass) {
  const Model model = RandomModel(1);
  EXPECT_TRUE(Check(model, 0, 0, 0).ok());
  EXPECT_THAT(std::string(Check(model, 4, 2, 0.01f).message()),
              HasSubstr("output 2 of the off engine for check image 4"));
}

TEST(ReferenceCheckTest, WithoutReferenceAForeignModelMustOnlyBeFinite) {
  Model model = RandomModel(1);
  model.is_digit_cnn = false;
  EXPECT_TRUE(Check(model, 4, 2, 0.01f).ok());
  const absl::Status status = Check(model, 4, 2, std::numeric_limits<float>::infinity());
  EXPECT_EQ(status, absl::InvalidArgumentError("output 2 of the off engine is inf for check image 4"));
}

TEST(ReferenceCheckTest, RefusesANaNWithReference) {
  const Model model = WithReference(RandomModel(1), 3);
  EXPECT_EQ(Check(model, 2, 9, std::numeric_limits<float>::quiet_NaN()).message(),
            "output 9 of the off engine is nan for check image 2");
}

TEST(ReferenceCheckTest, RefusesAnEngineWithAnotherNumberOfOutputs) {
  Model model = RandomModel(1);
  model.spec.labels.pop_back();
  EXPECT_EQ(Check(model, 0, 0, 0).message(), "the model has 9 labels, the engine gives 10 outputs");
}

TEST(ReferenceCheckTest, PassesOnTheEnginesOwnError) {
  const Model model = RandomModel(1);
  FailingEngine engine(model);
  EXPECT_EQ(CheckReference(engine, model), absl::InternalError("broken"));
}

}  // namespace
}  // namespace digit
