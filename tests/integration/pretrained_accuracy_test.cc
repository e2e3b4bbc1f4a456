// The figures of the shipped model's card, computed anew: MNIST's test pictures, and generated pictures of no digit
// that neither training nor the threshold has seen.
//
// Needs MNIST's test set (DIGIT_MNIST_DIR, or data/mnist under the source folder).
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>

#include "base/file.h"
#include "model/archive/model_file.h"
#include "model/dataset/digit_generator.h"
#include "model/dataset/idx.h"
#include "model/spec/interpretation.h"
#include "model/training/calibration.h"
#include "model/training/data_digest.h"
#include "model/training/digit_cnn_step.h"
#include "model/training/evaluation.h"

namespace digit {
namespace {

class PretrainedAccuracyTest : public testing::Test {
 protected:
  void SetUp() override {
    const absl::StatusOr<std::string> bytes = ReadFile("model/pretrained/mnist.pt", kMaxModelFileBytes);
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    const absl::StatusOr<ModelFile> file = ParseModelFile(*bytes);
    ASSERT_TRUE(file.ok()) << file.status();
    const absl::StatusOr<ModelSpec> spec = ParseModelSpec(file->model_json, "model.json in mnist.pt");
    ASSERT_TRUE(spec.ok()) << spec.status();
    spec_ = *spec;
    DigitCnnWeights weights;
    ASSERT_EQ(file->tensors.size(), weights.size());
    for (size_t i = 0; i < weights.size(); ++i) weights[i] = file->tensors[i].values;
    parameters_ = FromNetwork(weights);
    const char* folder = std::getenv("DIGIT_MNIST_DIR");
    const absl::StatusOr<LabeledImages> test = ReadIdxFolder(folder != nullptr ? folder : "data/mnist", Split::kTest);
    ASSERT_TRUE(test.ok()) << test.status();
    test_ = *test;
  }

  // The share of the pictures that gets each verdict.
  std::array<double, 4> Verdicts(absl::Span<const uint8_t> pixels) const {
    const std::vector<float> logits = ComputeLogits(parameters_, pixels, 2);
    std::array<double, 4> shares{};
    for (size_t i = 0; i < logits.size(); i += kDigitCnnClasses) {
      const Interpretation answer = Interpret(spec_, absl::MakeConstSpan(logits).subspan(i, kDigitCnnClasses));
      shares[static_cast<int>(answer.verdict)] += kDigitCnnClasses / static_cast<double>(logits.size());
    }
    return shares;
  }
  static double Of(const std::array<double, 4>& shares, Verdict verdict) { return shares[static_cast<int>(verdict)]; }

  ModelSpec spec_;
  FlatParameters parameters_;
  LabeledImages test_;
};

TEST_F(PretrainedAccuracyTest, IsWhatTheFileSaysAndAtLeast9960) {
  const Evaluation evaluation = Evaluate(ComputeLogits(parameters_, test_.pixels, 2), test_.labels, spec_.temperature);
  ASSERT_EQ(spec_.accuracy.size(), 2u);
  EXPECT_EQ(spec_.accuracy[1].images, test_.size());
  EXPECT_NEAR(evaluation.accuracy(), spec_.accuracy[1].accuracy, 1e-9);
  EXPECT_GE(evaluation.accuracy(), 0.9960);
  EXPECT_LE(evaluation.calibration_error, 0.005);
}

TEST_F(PretrainedAccuracyTest, ItsTestPicturesAreNotTakenForAnotherDataSet) {
  EXPECT_TRUE(CheckDataset("mnist", test_).ok());
  EXPECT_EQ(
      std::string(CheckDataset("fashion-mnist", test_).message()),
      "these are the test pictures of mnist, not of fashion-mnist: the data set, or its folder, must be named mnist");
}

TEST_F(PretrainedAccuracyTest, DigitsAreMostlyConfidentAndSeldomNoDigit) {
  const std::array<double, 4> shares = Verdicts(test_.pixels);
  EXPECT_GE(Of(shares, Verdict::kConfident), 0.95);
  EXPECT_LE(Of(shares, Verdict::kNotADigit), 0.01);
}

TEST_F(PretrainedAccuracyTest, NonDigitsAreSeldomConfidentAndMostlyNoDigit) {
  const std::array<double, 4> shares = Verdicts(DigitGenerator(kFreshNonDigitSeed).DrawManyNonDigits(kNonDigits));
  EXPECT_LE(Of(shares, Verdict::kConfident), 0.02);
  EXPECT_GE(Of(shares, Verdict::kNotADigit), 0.95);
}

}  // namespace
}  // namespace digit
