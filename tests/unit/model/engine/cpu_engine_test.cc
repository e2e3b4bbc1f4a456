#include "model/engine/cpu_engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "model/engine/scalar_reference.h"
#include "tests/unit/model/engine/random_model.h"

namespace digit {
namespace {

std::unique_ptr<InferenceEngine> EngineOf(const Model& model) {
  absl::StatusOr<std::unique_ptr<InferenceEngine>> engine = CpuEngine::Create(model);
  EXPECT_TRUE(engine.ok()) << engine.status();
  return engine.ok() ? *std::move(engine) : nullptr;
}

void ExpectAgreesWithScalar(const Model& model, int images) {
  const std::unique_ptr<InferenceEngine> engine = EngineOf(model);
  const DigitCnn net = *FindDigitCnn(model.file.tensors);
  const std::vector<uint8_t> pixels = RandomImages(7, images);
  std::vector<float> scores(static_cast<size_t>(images) * net.num_classes), want(net.num_classes);
  ASSERT_TRUE(engine->Infer(pixels, absl::MakeSpan(scores)).ok());
  for (int i = 0; i < images; ++i) {
    ScalarForward(net, absl::MakeConstSpan(pixels).subspan(i * kImagePixels, kImagePixels), absl::MakeSpan(want));
    float largest = 1;
    for (float logit : want) largest = std::max(largest, std::abs(logit));
    for (int c = 0; c < net.num_classes; ++c) {
      EXPECT_NEAR(scores[i * net.num_classes + c], want[c], 1e-4 * largest) << "image " << i << " class " << c;
    }
  }
}

TEST(CpuEngineTest, AgreesWithTheScalarPass) { ExpectAgreesWithScalar(RandomModel(1), 6); }

TEST(CpuEngineTest, AgreesWithTheScalarPassForWidthsThatAreNoMultipleOfEight) {
  ExpectAgreesWithScalar(RandomModel(2, {.conv1 = 3, .conv2 = 5, .hidden = 7, .classes = 26}), 5);
  ExpectAgreesWithScalar(RandomModel(3, {.conv1 = 1, .conv2 = 1, .hidden = 1, .classes = 1}), 5);
  ExpectAgreesWithScalar(RandomModel(4, {.conv1 = 9, .conv2 = 17, .hidden = 33, .classes = 2}), 5);
}

TEST(CpuEngineTest, GivesAnImageTheSameScoresInEveryBatchSize) {
  const std::unique_ptr<InferenceEngine> engine = EngineOf(RandomModel(5));
  const std::vector<uint8_t> pixels = RandomImages(8, 11);
  std::vector<float> alone(110);
  for (int i = 0; i < 11; ++i) {
    ASSERT_TRUE(engine
                    ->Infer(absl::MakeConstSpan(pixels).subspan(i * kImagePixels, kImagePixels),
                            absl::MakeSpan(alone).subspan(i * 10, 10))
                    .ok());
  }
  for (int n = 1; n <= 11; ++n) {
    std::vector<float> together(n * 10);
    ASSERT_TRUE(engine->Infer(absl::MakeConstSpan(pixels).first(n * kImagePixels), absl::MakeSpan(together)).ok());
    EXPECT_THAT(together, ::testing::ElementsAreArray(alone.begin(), alone.begin() + n * 10)) << n;
  }
}

TEST(CpuEngineTest, TwoEnginesOfOneModelAreIndependent) {
  const Model model = RandomModel(6);
  const std::unique_ptr<InferenceEngine> first = EngineOf(model), second = EngineOf(model);
  const std::vector<uint8_t> a = RandomImages(1, 1), b = RandomImages(2, 1);
  std::vector<float> before(10), between(10), after(10);
  ASSERT_TRUE(first->Infer(a, absl::MakeSpan(before)).ok());
  ASSERT_TRUE(second->Infer(b, absl::MakeSpan(between)).ok());
  ASSERT_TRUE(first->Infer(a, absl::MakeSpan(after)).ok());
  EXPECT_EQ(before, after);
  EXPECT_NE(before, between);
}

TEST(CpuEngineTest, SaysWhatItIs) {
  const std::unique_ptr<InferenceEngine> engine = EngineOf(RandomModel(1, {.classes = 26}));
  EXPECT_EQ(engine->name(), "cpu");
  EXPECT_EQ(engine->num_classes(), 26);
}

TEST(CpuEngineTest, RefusesAnotherNetwork) {
  Model model = RandomModel(1);
  model.file.tensors.pop_back();
  EXPECT_EQ(CpuEngine::Create(model).status(), absl::InvalidArgumentError("tensor 'fc2.bias' is missing"));
}

}  // namespace
}  // namespace digit
