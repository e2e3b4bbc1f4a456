// The promise of model/engine: whichever engine serves the shipped model, a picture gets the same class and nearly the
// same logits. All 10,000 pictures of MNIST's test set, with LibTorch loaded as digitd loads it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "model/dataset/idx.h"
#include "model/engine/cpu_engine.h"
#include "model/engine/engine_factory.h"
#include "model/engine/model.h"

namespace digit {
namespace {

constexpr int kBatch = 100;

int ArgMax(absl::Span<const float> row) {
  return static_cast<int>(std::max_element(row.begin(), row.end()) - row.begin());
}

TEST(EngineAgreementTest, TheCpuEngineGivesLibTorchsClassForEveryTestPicture) {
  const absl::StatusOr<LabeledImages> test = ReadIdxFolder("data/mnist", Split::kTest);
  ASSERT_TRUE(test.ok()) << test.status();
  const absl::StatusOr<Model> model = LoadModel("model/pretrained/mnist.pt");
  ASSERT_TRUE(model.ok()) << model.status();
  const auto torch =
      MakeEngineFactory({.engine = EngineChoice::kTorch, .torch_module_path = ""})->Create(*model, Device{});
  ASSERT_TRUE(torch.ok()) << torch.status();
  const std::unique_ptr<InferenceEngine> cpu = *CpuEngine::Create(*model);
  ASSERT_EQ(test->size(), 10000);
  std::vector<float> got(kBatch * 10), want(kBatch * 10);
  float largest_error = 0;
  for (int begin = 0; begin < test->size(); begin += kBatch) {
    const auto pixels =
        absl::MakeConstSpan(test->pixels).subspan(size_t{1} * begin * kImagePixels, kBatch * kImagePixels);
    ASSERT_TRUE((*torch)->Infer(pixels, absl::MakeSpan(want)).ok());
    ASSERT_TRUE(cpu->Infer(pixels, absl::MakeSpan(got)).ok());
    for (int i = 0; i < kBatch; ++i) {
      const auto want_row = absl::MakeConstSpan(want).subspan(i * 10, 10),
                 got_row = absl::MakeConstSpan(got).subspan(i * 10, 10);
      EXPECT_EQ(ArgMax(got_row), ArgMax(want_row)) << "picture " << begin + i;
      float largest = 1;
      for (float logit : want_row) largest = std::max(largest, std::abs(logit));
      for (int c = 0; c < 10; ++c) {
        const float error = std::abs(got_row[c] - want_row[c]);
        EXPECT_LE(error, 1e-4f * largest) << "picture " << begin + i << ", class " << c;
        largest_error = std::max(largest_error, error);
      }
    }
  }
  RecordProperty("largest_logit_error", ::testing::PrintToString(largest_error));
  std::printf("largest difference of a logit: %.2g\n", largest_error);
}

}  // namespace
}  // namespace digit
