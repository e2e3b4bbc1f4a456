#include "model/network/torch_network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/script.h>

#include <sstream>

#include "model/spec/model_spec.h"

namespace digit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Small numbers without a pattern, the same every time.
DigitCnnWeights SomeWeights() {
  DigitCnnWeights weights;
  uint32_t state = 1;
  for (size_t i = 0; i < weights.size(); ++i) {
    for (int j = 0; j < kDigitCnnParameters[i].size; ++j) {
      state = state * 1664525 + 1013904223;
      weights[i].push_back(static_cast<float>(state >> 8) / (1 << 24) * 0.2f - 0.1f);
    }
  }
  return weights;
}

std::vector<uint8_t> SomePixels(int images) {
  std::vector<uint8_t> pixels(static_cast<size_t>(images) * kImagePixels);
  uint32_t state = 7;
  for (uint8_t& pixel : pixels) {
    state = state * 1664525 + 1013904223;
    pixel = static_cast<uint8_t>(state >> 24);
  }
  return pixels;
}

TEST(TorchNetworkTest, ArchiveHoldsTheTutorialsParametersBitForBit) {
  const DigitCnnWeights weights = SomeWeights();
  const auto bytes = ToTorchScript(weights, "{}");
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  std::istringstream in(*bytes);
  const torch::jit::Module module = torch::jit::load(in);
  size_t i = 0;
  for (const auto& parameter : module.named_parameters()) {
    ASSERT_LT(i, weights.size());
    EXPECT_EQ(parameter.name, std::string(kDigitCnnParameters[i].name));
    EXPECT_EQ(parameter.value.sizes().vec(),
              std::vector<int64_t>(kDigitCnnParameters[i].shape.begin(), kDigitCnnParameters[i].shape.end()));
    const float* values = parameter.value.data_ptr<float>();
    EXPECT_EQ(std::vector<float>(values, values + parameter.value.numel()), weights[i]);
    ++i;
  }
  EXPECT_EQ(i, weights.size());
}

TEST(TorchNetworkTest, ArchiveCarriesModelJson) {
  const auto bytes = ToTorchScript(SomeWeights(), "{\"format\":1}");
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  std::istringstream in(*bytes);
  torch::jit::ExtraFilesMap extra = {{"model.json", ""}};
  torch::jit::load(in, c10::nullopt, extra);
  EXPECT_EQ(extra["model.json"], "{\"format\":1}");
}

TEST(TorchNetworkTest, SameWeightsGiveTheSameBytes) {
  const auto first = ToTorchScript(SomeWeights(), "{}");
  const auto second = ToTorchScript(SomeWeights(), "{}");
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_TRUE(*first == *second);
}

TEST(TorchNetworkTest, LogitsAreThoseOfTheLoadedArchive) {
  const DigitCnnWeights weights = SomeWeights();
  const std::vector<uint8_t> pixels = SomePixels(3);
  const auto logits = TorchLogits(weights, pixels);
  ASSERT_TRUE(logits.ok()) << logits.status();
  std::istringstream in(*ToTorchScript(weights, "{}"));
  torch::Tensor input = torch::empty({3, 1, kImageSide, kImageSide});
  for (int64_t i = 0; i < input.numel(); ++i) input.data_ptr<float>()[i] = static_cast<float>(pixels[i]) / 255;
  const c10::InferenceMode no_gradients;
  const torch::Tensor expected = torch::jit::load(in).forward({input}).toTensor();
  ASSERT_THAT(expected.sizes().vec(), ElementsAre(3, kDigitCnnClasses));
  EXPECT_EQ(*logits, std::vector<float>(expected.data_ptr<float>(), expected.data_ptr<float>() + expected.numel()));
}

TEST(TorchNetworkTest, RefusesAParameterOfTheWrongSize) {
  DigitCnnWeights weights = SomeWeights();
  weights[2].pop_back();
  EXPECT_EQ(ToTorchScript(weights, "{}").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(ToTorchScript(weights, "{}").status().message()), HasSubstr("conv2.weight has 18431 values"));
}

TEST(TorchNetworkTest, RefusesPartOfAPicture) {
  EXPECT_EQ(TorchLogits(SomeWeights(), std::vector<uint8_t>(783)).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace digit
