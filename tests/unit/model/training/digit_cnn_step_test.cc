#include "model/training/digit_cnn_step.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>

#include "model/spec/model_spec.h"
#include "model/training/dense_kernels.h"
#include "model/training/random_stream.h"
#include "model/training/trainer.h"

namespace digit {
namespace {

constexpr float kSmoothing = 0.05f;

// Pictures with paper, ink and grey, so that pooling has ties and relu has zeros.
void FillShard(int images, ShardWorkspace* work) {
  RandomStream random(5);
  for (int i = 0; i < images * kInputSize; ++i) {
    work->input[i] = random.Below(3) == 0 ? random.Uniform(0, 1) : 0.0f;
  }
  for (int i = 0; i < images; ++i) {
    work->labels[i] = i % 5 == 4 ? kNoDigit : static_cast<uint8_t>(random.Below(kDigitCnnClasses));
  }
}

struct TorchPass {
  std::vector<torch::Tensor> parameters;
  torch::Tensor logits, loss;  // loss: the sum of the digits' cross entropies
};

// The tutorial's network on the whole 28x28 picture; what our kernels never read (its last two rows and columns) is
// ink.
TorchPass RunTorch(const DigitCnnWeights& weights, const ShardWorkspace& work, int images) {
  TorchPass pass;
  for (size_t i = 0; i < weights.size(); ++i) {
    const auto& shape = kDigitCnnParameters[i].shape;
    pass.parameters.push_back(
        torch::tensor(weights[i]).reshape(c10::IntArrayRef(shape.data(), shape.size())).set_requires_grad(true));
  }
  torch::Tensor x = torch::ones({images, 1, kImageSide, kImageSide});
  for (int i = 0; i < images * kInputSize; ++i) {
    x[i / kInputSize][0][i % kInputSize / kInputSide][i % kInputSide] = work.input[i];
  }
  const auto& p = pass.parameters;
  x = torch::max_pool2d(torch::relu(torch::conv2d(x, p[0], p[1])), 2);
  x = torch::max_pool2d(torch::relu(torch::conv2d(x, p[2], p[3])), 2);
  x = torch::relu(torch::linear(x.flatten(1), p[4], p[5]));
  pass.logits = torch::linear(x, p[6], p[7]);
  std::vector<int64_t> labels(work.labels.begin(), work.labels.begin() + images);
  std::vector<float> is_digit;
  for (int64_t& label : labels) {
    is_digit.push_back(label == kNoDigit ? 0.0f : 1.0f);
    if (label == kNoDigit) label = -100;  // LibTorch passes over it
  }
  pass.loss = torch::nn::functional::cross_entropy(
      pass.logits, torch::tensor(labels),
      torch::nn::functional::CrossEntropyFuncOptions().label_smoothing(kSmoothing).reduction(torch::kSum));
  const torch::Tensor of_energy = torch::nn::functional::binary_cross_entropy_with_logits(
      pass.logits.logsumexp(1), torch::tensor(is_digit),
      torch::nn::functional::BinaryCrossEntropyWithLogitsFuncOptions().reduction(torch::kSum));
  (pass.loss + kEnergyWeight * of_energy).backward();
  return pass;
}

void ExpectClose(const torch::Tensor& expected, const float* actual, double relative, const char* what) {
  const torch::Tensor flat = expected.contiguous().flatten();
  const double largest = flat.abs().max().item<double>();
  ASSERT_GT(largest, 0) << what;
  for (int64_t i = 0; i < flat.numel(); ++i) {
    ASSERT_NEAR(flat.data_ptr<float>()[i], actual[i], relative * largest) << what << " at " << i;
  }
}

class DigitCnnStepTest : public testing::TestWithParam<int> {};

TEST_P(DigitCnnStepTest, AgreesWithLibTorchsAutograd) {
  const int images = GetParam();
  const FlatParameters parameters = InitialState(3).weight;
  PackedWeights packed;
  packed.Pack(parameters, 0, 1);
  ShardWorkspace work;
  FillShard(images, &work);
  const TorchPass expected = RunTorch(ToNetwork(parameters), work, images);

  Forward(parameters, packed, images, &work);
  ExpectClose(expected.logits, work.logits.data(), 1e-5, "logits");
  constexpr float kScale = 0.25f;
  FlatParameters gradient(kParameters, 99.0f);  // to be overwritten
  const ShardResult result = Backward(parameters, packed, images, kSmoothing, kScale, &work, absl::MakeSpan(gradient));

  EXPECT_NEAR(result.loss, expected.loss.item<double>(), 1e-4 * images);
  EXPECT_EQ(result.right,
            expected.logits.argmax(1)
                .eq(torch::tensor(std::vector<int64_t>(work.labels.begin(), work.labels.begin() + images)))
                .sum()
                .item<int>());
  const DigitCnnWeights gradients = ToNetwork(gradient);
  for (size_t i = 0; i < gradients.size(); ++i) {
    ExpectClose(expected.parameters[i].grad() * kScale, gradients[i].data(), 1e-4,
                std::string(kDigitCnnParameters[i].name).c_str());
  }
  for (int i = kOffsetFc2Bias + kDigitCnnClasses; i < kParameters; ++i) EXPECT_EQ(gradient[i], 0.0f);
}

INSTANTIATE_TEST_SUITE_P(FullAndPartShards, DigitCnnStepTest, testing::Values(1, 7, kShardImages));

TEST(FlatParametersTest, ConvertToTheNetworkAndBackBitForBit) {
  const FlatParameters parameters = InitialState(4).weight;
  EXPECT_EQ(FromNetwork(ToNetwork(parameters)), parameters);
}

TEST(PackedWeightsTest, PartsMakeTheWhole) {
  const FlatParameters parameters = InitialState(4).weight;
  PackedWeights whole, parts;
  whole.Pack(parameters, 0, 1);
  for (int part = 0; part < 3; ++part) parts.Pack(parameters, part, 3);
  for (int i = 0; i < kPool2Size * kHidden; ++i) {
    ASSERT_EQ(whole.fc1()[i], parts.fc1()[i]);
    ASSERT_EQ(whole.fc1_transposed()[i], parts.fc1_transposed()[i]);
  }
  for (int i = 0; i < kConv2Channels * kPatch; ++i) ASSERT_EQ(whole.conv2()[i], parts.conv2()[i]);
}

// Three steps of ours against three of torch::optim::AdamW on the same gradients.
TEST(UpdateWeightsTest, IsLibTorchsAdamW) {
  TrainingState state = InitialState(6);
  torch::Tensor weight = torch::tensor(state.weight).set_requires_grad(true);
  torch::optim::AdamW adam({weight}, torch::optim::AdamWOptions(0.01).betas({0.9, 0.99}).weight_decay(0.1));
  RandomStream random(8);
  for (int t = 1; t <= 3; ++t) {
    FlatParameters gradients(2 * kParameters);  // two shards
    for (float& g : gradients) g = random.Uniform(-1, 1);
    const torch::Tensor both = torch::tensor(gradients).reshape({2, kParameters});
    weight.mutable_grad() = both[0] + both[1];
    adam.step();
    AdamStep step;
    step.learning_rate = 0.01f;
    step.weight_decay = 0.1f;
    step.correction1 = static_cast<float>(1 - std::pow(0.9, t));
    step.correction2 = static_cast<float>(1 - std::pow(0.99, t));
    step.average_rate = 0.5f;
    const FlatParameters average = state.average;
    UpdateWeights(step, kParameters, 2, gradients.data(), kParameters, state.weight.data(), state.momentum.data(),
                  state.variance.data(), state.average.data());
    ExpectClose(weight.detach(), state.weight.data(), 1e-5, "weight");
    for (int i = 0; i < kParameters; i += 997) {
      EXPECT_NEAR(state.average[i], (average[i] + state.weight[i]) / 2, 1e-6);
    }
  }
}

}  // namespace
}  // namespace digit
