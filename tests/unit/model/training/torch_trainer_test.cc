// The trainer of LibTorch against our own (trainer.h), on the CPU, and on a GPU where there is one.
#include "model/training/torch_trainer.h"

#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <utility>

#include "model/dataset/digit_generator.h"
#include "model/training/augmentation.h"
#include "model/training/evaluation.h"
#include "model/training/torch_step.h"

namespace digit {
namespace {

using ::testing::HasSubstr;

constexpr int kFirstSteps = 6;  // on a GPU the first three are no graph yet

bool GoOn(int64_t) { return true; }

std::function<bool(int64_t)> Until(int64_t end) {
  return [end](int64_t step) { return step < end; };
}

Recipe SmallRecipe() {
  Recipe recipe;
  recipe.epochs = 2;
  recipe.batch_images = 64;
  recipe.weight_decay = 1;  // so strong that the first steps show it
  return recipe;
}

std::vector<Device> Devices() {
  std::vector<Device> devices = {Device{}};
  const Device gpu = {Device::Kind::kCuda, 0};
  if (CheckTrainingDevice(gpu).ok()) devices.push_back(gpu);
  return devices;
}

// How far `actual` is from `expected`, by root mean squares, as a share of how far that is from `start`.
double Deviation(const FlatParameters& start, const FlatParameters& expected, const FlatParameters& actual) {
  double wrong = 0, moved = 0;
  for (int i = 0; i < kParameters; ++i) {
    wrong += std::pow(double{actual[i]} - expected[i], 2);
    moved += std::pow(double{expected[i]} - start[i], 2);
  }
  return std::sqrt(wrong / moved);
}

class TorchTrainerTest : public testing::TestWithParam<Device> {
 protected:
  void SetUp() override { at::set_num_threads(1); }  // threads that wait for each other are slow beside other programs

  std::unique_ptr<TorchTrainer> MakeTrainer(const Recipe& recipe) const {
    absl::StatusOr<std::unique_ptr<TorchTrainer>> trainer =
        TorchTrainer::Create(GetParam(), recipe, images_, non_digits_);
    EXPECT_TRUE(trainer.ok()) << trainer.status();
    return *std::move(trainer);
  }

  // Both trainers, `steps` from the same beginning. They add in another order: of a step's movement, a ten-thousandth.
  // AdamW divides by the size of a gradient, so that it shows as much where that is almost nothing; and a place of a
  // pooling window that wins by a last bit in one may lose in the other. On a GPU convolutions round to 10 bits.
  void ExpectTheSameFirstSteps(const Recipe& recipe) {
    const bool on_gpu = GetParam().kind == Device::Kind::kCuda;
    const double tolerance = on_gpu ? 0.25 : 0.01, loss_tolerance = on_gpu ? 1e-2 : 1e-4;
    const TrainingState start = InitialState(recipe.seed);
    TrainingState expected = start, actual = start;
    RunEpoch(recipe, images_, non_digits_, 2, Until(kFirstSteps), &expected);
    ASSERT_TRUE(MakeTrainer(recipe)->RunEpoch(Until(kFirstSteps), &actual).ok());
    EXPECT_EQ(actual.step, kFirstSteps);
    EXPECT_NEAR(actual.loss_sum, expected.loss_sum, loss_tolerance * expected.loss_sum);
    EXPECT_NEAR(static_cast<double>(actual.right), static_cast<double>(expected.right), on_gpu ? 5 : 1);
    EXPECT_LT(Deviation(start.weight, expected.weight, actual.weight), tolerance);
    EXPECT_LT(Deviation(start.average, expected.average, actual.average), tolerance);
    EXPECT_LT(Deviation(start.momentum, expected.momentum, actual.momentum), tolerance);
    EXPECT_LT(Deviation(start.variance, expected.variance, actual.variance), tolerance);
  }

  LabeledImages images_ = DigitGenerator(3).DrawMany(2000);
  const std::vector<uint8_t> non_digits_ = DigitGenerator(4).DrawManyNonDigits(100);
};

TEST_P(TorchTrainerTest, FirstStepsAreThoseOfOurOwnKernels) { ExpectTheSameFirstSteps(SmallRecipe()); }

TEST_P(TorchTrainerTest, SmoothingManyNonDigitsAndDecaysAreThoseOfOurOwnKernels) {
  Recipe recipe = SmallRecipe();
  recipe.label_smoothing = 0.3f;
  recipe.non_digits = 32;
  recipe.beta1 = 0.5f;
  recipe.beta2 = 0.8f;
  recipe.average_decay = 0.2f;
  ExpectTheSameFirstSteps(recipe);
}

TEST_P(TorchTrainerTest, PicturesLabelledAsNoDigitAreThoseOfOurOwnKernels) {  // as corrections are
  for (int i = 0; i < images_.size(); i += 3) images_.labels[i] = kNoDigit;
  Recipe recipe = SmallRecipe();
  recipe.non_digits = 0;
  ExpectTheSameFirstSteps(recipe);
}

TEST_P(TorchTrainerTest, EpochsEndAsGoodAsThoseOfOurOwnKernels) {
  Recipe recipe = SmallRecipe();
  recipe.weight_decay = Recipe().weight_decay;
  TrainingState expected = InitialState(1), actual = InitialState(1);
  const std::unique_ptr<TorchTrainer> trainer = MakeTrainer(recipe);
  for (int epoch = 0; epoch < recipe.epochs; ++epoch) {
    RunEpoch(recipe, images_, non_digits_, 2, GoOn, &expected);
    ASSERT_TRUE(trainer->RunEpoch(GoOn, &actual).ok());
  }
  EXPECT_EQ(actual.step, expected.step);
  EXPECT_NEAR(actual.loss_sum, expected.loss_sum, 0.05 * expected.loss_sum);
  const LabeledImages others = DigitGenerator(5).DrawMany(500);
  const auto accuracy = [&](const TrainingState& state) {
    return Evaluate(ComputeLogits(state.weight, others.pixels, 2), others.labels, 1).accuracy();
  };
  EXPECT_GT(accuracy(expected), 0.9);
  EXPECT_NEAR(accuracy(actual), accuracy(expected), 0.03);
}

TEST_P(TorchTrainerTest, StoppedAndGoneOnWithIsTheSame) {
  const Recipe recipe = SmallRecipe();
  const int64_t steps = StepsPerEpoch(recipe, images_.size());
  const TrainingState start = InitialState(1);
  TrainingState whole = start, stopped = start;
  const std::unique_ptr<TorchTrainer> trainer = MakeTrainer(recipe);
  ASSERT_TRUE(trainer->RunEpoch(GoOn, &whole).ok());
  ASSERT_TRUE(trainer->RunEpoch(Until(steps + 2), &whole).ok());
  for (const int64_t end : {int64_t{2}, int64_t{7}, steps, steps + 2}) {
    ASSERT_TRUE(MakeTrainer(recipe)->RunEpoch(Until(end), &stopped).ok());  // anew each time, as after a restart
    EXPECT_EQ(stopped.step, end);
  }
  if (GetParam().kind == Device::Kind::kCpu) {
    EXPECT_EQ(whole.loss_sum, stopped.loss_sum);
    EXPECT_EQ(whole.weight, stopped.weight);
    EXPECT_EQ(whole.momentum, stopped.momentum);
    EXPECT_EQ(whole.variance, stopped.variance);
    EXPECT_EQ(whole.average, stopped.average);
  } else {  // the bits are up to cuDNN and cuBLAS
    EXPECT_LT(Deviation(start.weight, whole.weight, stopped.weight), 0.25);
    EXPECT_NEAR(whole.loss_sum, stopped.loss_sum, 0.01 * whole.loss_sum);
  }
  EXPECT_EQ(whole.step, stopped.step);
}

TEST_P(TorchTrainerTest, OurOwnKernelsGoOnWithItsState) {
  const Recipe recipe = SmallRecipe();
  TrainingState expected = InitialState(1), actual = expected;
  RunEpoch(recipe, images_, non_digits_, 2, GoOn, &expected);
  ASSERT_TRUE(MakeTrainer(recipe)->RunEpoch(Until(kFirstSteps), &actual).ok());
  RunEpoch(recipe, images_, non_digits_, 2, GoOn, &actual);
  EXPECT_EQ(actual.step, expected.step);
  EXPECT_NEAR(actual.loss_sum, expected.loss_sum, 0.05 * expected.loss_sum);
}

TEST_P(TorchTrainerTest, AsksBeforeEachStepAndLagsBehindByABoundedNumber) {
  Recipe recipe = SmallRecipe();
  recipe.batch_images = 32;
  recipe.non_digits = 0;
  const int64_t steps = StepsPerEpoch(recipe, images_.size());
  ASSERT_GT(steps, TorchTrainer::kStepsAhead);
  TrainingState state = InitialState(1);
  std::vector<int64_t> asked;
  double loss_sum = 0;
  ASSERT_TRUE(MakeTrainer(recipe)
                  ->RunEpoch(
                      [&](int64_t step) {
                        asked.push_back(step);
                        EXPECT_LE(state.step, step);
                        EXPECT_LT(step - state.step, TorchTrainer::kStepsAhead);
                        EXPECT_EQ(state.loss_sum > 0, state.step > 0);
                        EXPECT_GE(state.loss_sum, std::exchange(loss_sum, state.loss_sum));
                        return true;
                      },
                      &state)
                  .ok());
  ASSERT_EQ(static_cast<int64_t>(asked.size()), steps);
  for (int64_t i = 0; i < steps; ++i) EXPECT_EQ(asked[i], i);
  EXPECT_EQ(state.step, steps);
  EXPECT_GT(state.loss_sum, loss_sum);
}

TEST_P(TorchTrainerTest, LogitsAreThoseOfOurOwnKernels) {
  const FlatParameters parameters = InitialState(7).weight;
  const std::vector<float> expected = ComputeLogits(parameters, images_.pixels, 2);
  const absl::StatusOr<std::vector<float>> actual =
      MakeTrainer(SmallRecipe())->ComputeLogits(parameters, images_.pixels);
  ASSERT_TRUE(actual.ok()) << actual.status();
  ASSERT_EQ(actual->size(), expected.size());
  const double tolerance = GetParam().kind == Device::Kind::kCuda ? 1e-3 : 1e-5;
  for (size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR((*actual)[i], expected[i], tolerance) << i;
}

TEST_P(TorchTrainerTest, PicturesAreDeformedAsAugmentDoes) {
  Recipe recipe = SmallRecipe();
  recipe.augmentation = {.rotation_degrees = 40, .scale = 0.4f, .shear = 0.5f, .shift_pixels = 9};
  const int64_t steps = StepsPerEpoch(recipe, images_.size());
  const bool on_gpu = GetParam().kind == Device::Kind::kCuda;
  TorchStep torch_step(recipe, images_, non_digits_, on_gpu ? at::Device(at::kCUDA, 0) : at::Device(at::kCPU));
  TrainingState state = InitialState(1);
  for (const int64_t step : {int64_t{0}, int64_t{5}, steps + 1}) {
    state.step = step;
    torch_step.Load(state);
    const at::Tensor input = torch_step.NextInput().contiguous().cpu();
    ASSERT_EQ(input.numel(), recipe.batch_images * kInputSize);
    const EpochPlan plan(recipe, images_.size(), 100, step / steps);
    for (int place = 0; place < recipe.batch_images; ++place) {
      const PlannedPicture planned = plan.At(step % steps, place);
      EXPECT_EQ(planned.is_non_digit, place % kShardImages >= kShardImages - 2);
      std::vector<float> expected(kInputSize);
      Augment(recipe.augmentation,
              planned.is_non_digit
                  ? absl::MakeConstSpan(non_digits_).subspan(planned.index * kImagePixels, kImagePixels)
                  : images_.image(static_cast<int>(planned.index)),
              planned.random, expected.data());
      for (int i = 0; i < kInputSize; ++i) {
        ASSERT_NEAR(input.data_ptr<float>()[place * kInputSize + i], expected[i], 2e-5) << place << " at " << i;
      }
    }
  }
}

TEST_P(TorchTrainerTest, AWarpIsRefused) {
  Recipe recipe = SmallRecipe();
  recipe.augmentation.warp_pixels = 1;
  const auto trainer = TorchTrainer::Create(GetParam(), recipe, images_, non_digits_);
  EXPECT_TRUE(absl::IsInvalidArgument(trainer.status()));
  EXPECT_THAT(std::string(trainer.status().message()), HasSubstr("warps pictures by 1 pixels"));
}

INSTANTIATE_TEST_SUITE_P(Devices, TorchTrainerTest, testing::ValuesIn(Devices()),
                         [](const auto& info) { return info.param.kind == Device::Kind::kCpu ? "cpu" : "cuda"; });

TEST(CheckTrainingDeviceTest, NamesAGpuThatIsNotThere) {
  EXPECT_TRUE(CheckTrainingDevice(Device{}).ok());
  const absl::Status status = CheckTrainingDevice(Device{Device::Kind::kCuda, 99});
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("device cuda:99: "));
}

}  // namespace
}  // namespace digit
