#include "model/engine/cpu_engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "model/engine/scalar_reference.h"
#include "tests/unit/model/archive/heap_meter.h"
#include "tests/unit/model/engine/every_target.h"
#include "tests/unit/model/engine/random_model.h"

namespace digit {
namespace {

std::unique_ptr<InferenceEngine> EngineOf(const Model& model) {
  absl::StatusOr<std::unique_ptr<InferenceEngine>> engine = CpuEngine::Create(model);
  EXPECT_TRUE(engine.ok()) << engine.status();
  return engine.ok() ? *std::move(engine) : nullptr;
}

// On every instruction set, in batches of these sizes.
void ExpectAgreesWithScalar(uint32_t seed, Widths widths, const std::vector<int>& batches) {
  SCOPED_TRACE(testing::Message() << "seed " << seed << ", widths " << widths.conv1 << " " << widths.conv2 << " "
                                  << widths.hidden << " " << widths.classes);
  const int most = *std::max_element(batches.begin(), batches.end());
  const Model model = RandomModel(seed, widths);
  const DigitCnn net = *FindDigitCnn(model.file.tensors);
  const std::vector<uint8_t> pixels = RandomImages(seed + 7, most);
  std::vector<float> want(static_cast<size_t>(most) * net.num_classes);
  for (int i = 0; i < most; ++i) {
    ScalarForward(net, absl::MakeConstSpan(pixels).subspan(i * kImagePixels, kImagePixels),
                  absl::MakeSpan(want).subspan(i * net.num_classes, net.num_classes));
  }
  float largest = 1;
  for (float logit : want) largest = std::max(largest, std::abs(logit));
  OnEveryTarget([&] {
    const std::unique_ptr<InferenceEngine> engine = EngineOf(model);
    for (int n : batches) {
      std::vector<float> scores(static_cast<size_t>(n) * net.num_classes);
      ASSERT_TRUE(engine->Infer(absl::MakeConstSpan(pixels).first(n * kImagePixels), absl::MakeSpan(scores)).ok());
      for (size_t i = 0; i < scores.size(); ++i) {
        ASSERT_NEAR(scores[i], want[i], 1e-5 * largest) << "batch " << n << ", output " << i;
      }
    }
  });
}

TEST(CpuEngineTest, AgreesWithTheScalarPassForEveryBatchSize) {
  std::vector<int> batches(70);
  std::iota(batches.begin(), batches.end(), 1);
  ExpectAgreesWithScalar(1, {.conv1 = 5, .conv2 = 7, .hidden = 19, .classes = 3}, batches);
}

TEST(CpuEngineTest, AgreesWithTheScalarPassForTheTutorialsWidths) { ExpectAgreesWithScalar(2, {}, {1, 2, 3, 25}); }

TEST(CpuEngineTest, AgreesWithTheScalarPassForOddWidths) {
  ExpectAgreesWithScalar(3, {.conv1 = 3, .conv2 = 5, .hidden = 7, .classes = 26}, {1, 5, 30});
  ExpectAgreesWithScalar(4, {.conv1 = 1, .conv2 = 1, .hidden = 1, .classes = 1}, {1, 5, 30});
  ExpectAgreesWithScalar(5, {.conv1 = 9, .conv2 = 17, .hidden = 33, .classes = 2}, {1, 5, 30});
  ExpectAgreesWithScalar(6, {.conv1 = 17, .conv2 = 65, .hidden = 129, .classes = 11}, {1, 5});
  ExpectAgreesWithScalar(7, {.conv1 = 40, .conv2 = 100, .hidden = 70, .classes = 81}, {1, 5});
}

// Features that are nearly all zero, and nearly none: fc1 takes both of its ways.
TEST(CpuEngineTest, AgreesWithTheScalarPassForSparseAndForDenseFeatures) {
  for (float bias : {-1.5f, 1.5f}) {
    Model model = RandomModel(8, {.conv1 = 4, .conv2 = 20, .hidden = 30, .classes = 10});
    for (float& value : model.file.tensors[3].values) value = bias;  // conv2.bias
    const DigitCnn net = *FindDigitCnn(model.file.tensors);
    const std::vector<uint8_t> pixels = RandomImages(9, 7);
    std::vector<float> scores(70), want(10);
    ASSERT_TRUE(EngineOf(model)->Infer(pixels, absl::MakeSpan(scores)).ok());
    for (int i = 0; i < 7; ++i) {
      ScalarForward(net, absl::MakeConstSpan(pixels).subspan(i * kImagePixels, kImagePixels), absl::MakeSpan(want));
      for (int c = 0; c < 10; ++c) EXPECT_NEAR(scores[i * 10 + c], want[c], 1e-5) << bias << ", image " << i;
    }
  }
}

TEST(CpuEngineTest, NeverAllocatesAfterCreate) {
  if (!HeapMeterWorks()) GTEST_SKIP() << "a sanitizer has its own operator new";
  const std::unique_ptr<InferenceEngine> engine = EngineOf(RandomModel(1));
  const std::vector<uint8_t> pixels = RandomImages(1, 70);
  std::vector<float> scores(700);
  const HeapMeter meter;
  for (int n : {1, 2, 24, 25, 70}) {
    ASSERT_TRUE(
        engine->Infer(absl::MakeConstSpan(pixels).first(n * kImagePixels), absl::MakeSpan(scores).first(n * 10)).ok());
  }
  EXPECT_EQ(meter.PeakBytes(), 0u);
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
