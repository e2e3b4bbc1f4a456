#include <limits>
#include <memory>

#include "absl/strings/str_cat.h"
#include "base/retry_after.h"
#include "daemon/rpc/oip/tensor_codec.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fake_engine.h"
#include "tests/unit/daemon/rpc/oip/tensors.h"

namespace digit {
namespace {

using inference::ModelInferResponse;
using ::testing::ElementsAre;

// A result of three images and three classes.
RecognizeResult ResultOf() {
  Model model = FakeModel();
  model.spec = DefaultSpec(3);
  model.spec.labels = {"nought", "one", "\xe4\xba\x8c"};
  auto live = std::make_shared<LiveModel>();
  live->name = "fake";
  live->version = "7";
  live->model = std::make_shared<const Model>(std::move(model));
  RecognizeResult result{.model = live};
  const std::vector<std::vector<float>> rows = {{0.25F, 0.5F, 0.25F}, {0, 0, 1}, {1, 0, 0}};
  const Verdict verdicts[] = {Verdict::kUnsure, Verdict::kConfident, Verdict::kNotADigit};
  for (int i = 0; i < 3; ++i) {
    ImageResult image;
    image.prediction.label_index = i == 0 ? 1 : i == 1 ? 2 : 0;
    image.prediction.probabilities.assign(rows[i].begin(), rows[i].end());
    image.prediction.verdict = verdicts[i];
    result.images.push_back(std::move(image));
  }
  return result;
}

InferAnswerForm AllOutputs() {
  InferAnswerForm form{.input = kPixelsInput};
  for (int i = 0; i < kNumInferOutputs; ++i) form.outputs.push_back({static_cast<InferOutput>(i)});
  return form;
}

TEST(EncodeInferTest, EveryOutputHasItsTypeItsShapeAndItsElements) {
  ModelInferResponse response;
  ASSERT_TRUE(EncodeInfer(ResultOf(), AllOutputs(), "my id", &response).ok());
  EXPECT_EQ(response.model_name(), "fake");
  EXPECT_EQ(response.model_version(), "7");
  EXPECT_EQ(response.id(), "my id");
  std::vector<std::string> heads;
  for (const auto& output : response.outputs()) {
    std::string head = absl::StrCat(output.name(), " ", output.datatype());
    for (int64_t dim : output.shape()) absl::StrAppend(&head, " ", dim);
    EXPECT_FALSE(output.has_contents());
    heads.push_back(head);
  }
  EXPECT_THAT(heads, ElementsAre("probabilities FP32 3 3", "class INT32 3", "label BYTES 3", "verdict BYTES 3"));
  EXPECT_EQ(response.raw_output_contents_size(), 4);
  EXPECT_THAT(ElementsOf<float>(response, "probabilities"), ElementsAre(0.25F, 0.5F, 0.25F, 0, 0, 1, 1, 0, 0));
  EXPECT_THAT(ElementsOf<int32_t>(response, "class"), ElementsAre(1, 2, 0));
  EXPECT_THAT(BytesOf(response, "label"), ElementsAre("one", "\xe4\xba\x8c", "nought"));
  EXPECT_THAT(BytesOf(response, "verdict"), ElementsAre("unsure", "confident", "not_a_digit"));
}

TEST(EncodeInferTest, OutputsComeInTheOrderAskedFor) {
  ModelInferResponse response;
  InferAnswerForm form;
  form.outputs = {{InferOutput::kLabel}, {InferOutput::kClass}};
  ASSERT_TRUE(EncodeInfer(ResultOf(), form, "", &response).ok());
  ASSERT_EQ(response.outputs_size(), 2);
  EXPECT_EQ(response.outputs(0).name(), "label");
  EXPECT_EQ(response.outputs(1).name(), "class");
}

TEST(EncodeInferTest, ClassificationGivesTheMostProbableClassesAtMostAll) {
  for (const int64_t top : {int64_t{2}, int64_t{3}, std::numeric_limits<int64_t>::max()}) {
    ModelInferResponse response;
    InferAnswerForm form;
    form.outputs = {{InferOutput::kProbabilities, top}};
    ASSERT_TRUE(EncodeInfer(ResultOf(), form, "", &response).ok());
    EXPECT_EQ(response.outputs(0).datatype(), "BYTES");
    EXPECT_THAT(response.outputs(0).shape(), ElementsAre(3, top == 2 ? 2 : 3));
    const std::vector<std::string> classes = BytesOf(response, "probabilities");
    ASSERT_EQ(classes.size(), top == 2 ? 6u : 9u);
    EXPECT_EQ(classes[0], "0.500000:1:one");
    EXPECT_EQ(classes[1], "0.250000:0:nought");  // the first of equal ones
    EXPECT_EQ(classes[top == 2 ? 2 : 3], "1.000000:2:\xe4\xba\x8c");
  }
}

TEST(EncodeInferTest, AModelWithoutThresholdsHasNoVerdict) {
  RecognizeResult result = ResultOf();
  result.images[1].prediction.verdict = Verdict::kUnspecified;
  ModelInferResponse response;
  ASSERT_TRUE(EncodeInfer(result, AllOutputs(), "", &response).ok());
  EXPECT_THAT(BytesOf(response, "verdict"), ElementsAre("unsure", "", "not_a_digit"));
}

TEST(EncodeInferTest, TheFirstBadImageIsTheErrorAndKeepsItsTimeToRetry) {
  RecognizeResult result = ResultOf();
  result.images[1].status = absl::InvalidArgumentError("no digit found");
  result.images[2].status = absl::InternalError("later");
  ModelInferResponse response;
  InferAnswerForm form = AllOutputs();
  form.input = kImagesInput;
  EXPECT_EQ(EncodeInfer(result, form, "", &response), absl::InvalidArgumentError("images[1]: no digit found"));
  EXPECT_EQ(response.ByteSizeLong(), 0u);
  result.images[1].status = WithRetryAfter(absl::ResourceExhaustedError("full"), absl::Milliseconds(30));
  const absl::Status status = EncodeInfer(result, form, "", &response);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(RetryAfterOf(status), absl::Milliseconds(30));
}

}  // namespace
}  // namespace digit
