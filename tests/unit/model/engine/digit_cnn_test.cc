#include "model/engine/digit_cnn.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "tests/unit/model/engine/random_model.h"

namespace digit {
namespace {

using ::testing::HasSubstr;

std::string ErrorOf(const std::vector<NamedTensor>& tensors) {
  const absl::StatusOr<DigitCnn> net = FindDigitCnn(tensors);
  EXPECT_EQ(net.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(net.status().message());
}

class DigitCnnTest : public ::testing::Test {
 protected:
  NamedTensor& tensor(absl::string_view name) {
    for (NamedTensor& tensor : tensors_) {
      if (tensor.name == name) return tensor;
    }
    ADD_FAILURE() << "no tensor " << std::string(name);
    return tensors_[0];
  }
  std::vector<NamedTensor> tensors_ = RandomModel(1).file.tensors;
};

TEST_F(DigitCnnTest, FindsTheTutorialsWidths) {
  const absl::StatusOr<DigitCnn> net = FindDigitCnn(tensors_);
  ASSERT_TRUE(net.ok()) << net.status();
  EXPECT_EQ(net->conv1_channels, 32);
  EXPECT_EQ(net->conv2_channels, 64);
  EXPECT_EQ(net->hidden, 128);
  EXPECT_EQ(net->num_classes, 10);
  EXPECT_EQ(net->fc1_weight.data(), tensor("fc1.weight").values.data());
}

TEST_F(DigitCnnTest, AcceptsTensorsInAnyOrderAndOtherWidths) {
  tensors_ = RandomModel(2, {.conv1 = 3, .conv2 = 5, .hidden = 7, .classes = 26}).file.tensors;
  std::swap(tensors_[0], tensors_[7]);
  const absl::StatusOr<DigitCnn> net = FindDigitCnn(tensors_);
  ASSERT_TRUE(net.ok()) << net.status();
  EXPECT_EQ(net->conv2_channels, 5);
  EXPECT_EQ(net->num_classes, 26);
}

TEST_F(DigitCnnTest, NamesTheTensorThatIsMissing) {
  tensors_.erase(tensors_.begin() + 3);
  EXPECT_EQ(ErrorOf(tensors_), "tensor 'conv2.bias' is missing");
}

TEST_F(DigitCnnTest, NamesATensorOfAnotherNetwork) {
  tensors_.push_back(NamedTensor{"bn1.weight", {1}, {1.0f}});
  EXPECT_EQ(ErrorOf(tensors_), "tensor 'bn1.weight' is not part of the digit network");
}

TEST_F(DigitCnnTest, SaysWhichShapeIsWrongAndWhatIsNeeded) {
  tensor("conv2.weight").shape = {64, 32, 5, 5};
  EXPECT_EQ(ErrorOf(tensors_), "tensor 'conv2.weight' has shape [64,32,5,5], the digit network needs [1..4096,32,3,3]");
}

TEST_F(DigitCnnTest, RefusesLayersThatDoNotFitEachOther) {
  tensor("fc1.weight").shape = {128, 64 * 24};
  EXPECT_THAT(ErrorOf(tensors_),
              HasSubstr("'fc1.weight' has shape [128,1536], the digit network needs [1..4096,1600]"));
}

TEST_F(DigitCnnTest, RefusesABiasOfAnotherLength) {
  tensor("fc2.bias") = NamedTensor{"fc2.bias", {11}, std::vector<float>(11)};
  EXPECT_THAT(ErrorOf(tensors_), HasSubstr("'fc2.bias' has shape [11], the digit network needs [10]"));
}

TEST_F(DigitCnnTest, RefusesNegativeEmptyAndHugeDimensions) {
  for (const int64_t dimension : {int64_t{-1}, int64_t{0}, int64_t{4097}, std::numeric_limits<int64_t>::max()}) {
    tensor("conv1.weight").shape[0] = dimension;
    EXPECT_THAT(ErrorOf(tensors_), HasSubstr("'conv1.weight' has shape"));
  }
}

TEST_F(DigitCnnTest, RefusesFewerValuesThanTheShapeSays) {
  tensor("fc2.weight").values.pop_back();
  EXPECT_EQ(ErrorOf(tensors_), "tensor 'fc2.weight' holds 1279 values, its shape says 1280");
}

TEST_F(DigitCnnTest, RefusesWeightsThatAreNotFinite) {
  tensor("fc1.bias").values[5] = std::numeric_limits<float>::quiet_NaN();
  const absl::Status status = FindDigitCnn(tensors_).status();
  EXPECT_EQ(status, absl::DataLossError("tensor 'fc1.bias' is not finite at element 5: its training went wrong"));
}

}  // namespace
}  // namespace digit
