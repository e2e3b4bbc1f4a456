// The model that ships in the repository.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/file.h"
#include "model/archive/model_file.h"
#include "model/spec/model_spec.h"
#include "model/training/digit_cnn_step.h"
#include "model/training/evaluation.h"

namespace digit {
namespace {

class PretrainedTest : public testing::Test {
 protected:
  void SetUp() override {
    const absl::StatusOr<std::string> bytes = ReadFile("model/pretrained/mnist.pt", kMaxModelFileBytes);
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    bytes_ = bytes->size();
    const absl::StatusOr<ModelFile> file = ParseModelFile(*bytes);
    ASSERT_TRUE(file.ok()) << file.status();
    file_ = *file;
    const absl::StatusOr<ModelSpec> spec = ParseModelSpec(file_.model_json, "model.json in mnist.pt");
    ASSERT_TRUE(spec.ok()) << spec.status();
    spec_ = *spec;
  }

  size_t bytes_ = 0;
  ModelFile file_;
  ModelSpec spec_;
};

TEST_F(PretrainedTest, IsSmallerThanOneMebibyte) { EXPECT_LT(bytes_, size_t{1} << 20); }

TEST_F(PretrainedTest, SaysWhatItIsAndWhereItComesFrom) {
  EXPECT_EQ(spec_.architecture, std::string(kDigitCnn));
  EXPECT_THAT(spec_.labels, testing::ElementsAre("0", "1", "2", "3", "4", "5", "6", "7", "8", "9"));
  EXPECT_EQ(spec_.framing, Framing::kMnist);
  EXPECT_TRUE(spec_.thresholds.has_value());
  EXPECT_FALSE(spec_.recipe.empty());
  EXPECT_EQ(spec_.data_digest.size(), 64u);
  ASSERT_EQ(spec_.accuracy.size(), 2u);
  EXPECT_EQ(spec_.accuracy[1].set, "mnist/test");
  EXPECT_GE(spec_.accuracy[1].accuracy, 0.995);
}

TEST_F(PretrainedTest, ItsCardHasTheDigestOfItsData) {
  const absl::StatusOr<std::string> card = ReadFile("model/pretrained/README.md", 1 << 20);
  ASSERT_TRUE(card.ok()) << card.status();
  EXPECT_THAT(*card, testing::HasSubstr(spec_.data_digest));
}

TEST_F(PretrainedTest, GivesTheLogitsThatLibTorchGave) {
  DigitCnnWeights weights;
  ASSERT_EQ(file_.tensors.size(), weights.size());
  for (size_t i = 0; i < weights.size(); ++i) weights[i] = file_.tensors[i].values;
  ASSERT_EQ(spec_.reference.size(), 64);
  const std::vector<float> logits = ComputeLogits(FromNetwork(weights), spec_.reference.pixels, 1);
  ASSERT_EQ(logits.size(), spec_.reference.logits.size());
  float largest = 1;
  for (float logit : spec_.reference.logits) largest = std::max(largest, std::abs(logit));
  for (size_t i = 0; i < logits.size(); ++i) EXPECT_NEAR(logits[i], spec_.reference.logits[i], 1e-4 * largest);
}

}  // namespace
}  // namespace digit
