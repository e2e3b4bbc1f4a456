#include <cmath>
#include <functional>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/rpc/oip/tensor_codec.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/daemon/rpc/oip/tensors.h"

namespace digit {
namespace {

using inference::ModelInferRequest;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int kMaxImages = 8;

absl::StatusOr<InferCall> Decode(const ModelInferRequest& request) { return DecodeInfer(request, kMaxImages); }

void ExpectRefused(const ModelInferRequest& request, const std::vector<std::string>& words) {
  const absl::StatusOr<InferCall> call = Decode(request);
  ASSERT_EQ(call.status().code(), absl::StatusCode::kInvalidArgument) << request.ShortDebugString().substr(0, 300);
  for (const std::string& word : words) EXPECT_THAT(std::string(call.status().message()), HasSubstr(word));
}

TEST(DecodeInferTest, RawBytesOfPixelsAreUsedWhereTheyAre) {
  for (const std::vector<int64_t>& shape : {std::vector<int64_t>{2, 28, 28}, {2, 1, 28, 28}}) {
    ModelInferRequest request = RequestOf("pixels", "UINT8", shape);
    request.add_raw_input_contents(PixelsOf(3, 2));
    request.set_model_name("mnist");
    request.set_model_version("stable");
    const absl::StatusOr<InferCall> call = Decode(request);
    ASSERT_TRUE(call.ok()) << call.status();
    EXPECT_EQ(call->recognize.packed_pixels.data(), request.raw_input_contents(0).data());
    EXPECT_EQ(call->recognize.packed_pixels.size(), 2u * kImagePixels);
    EXPECT_EQ(call->recognize.model, "mnist");
    EXPECT_EQ(call->recognize.version, "stable");
    EXPECT_EQ(call->form.input, kPixelsInput);
  }
}

TEST(DecodeInferTest, FilesAreUsedWhereTheyAre) {
  const ModelInferRequest raw = ImagesRequest({"first", "", "third"});
  ModelInferRequest typed = RequestOf("images", "BYTES", {3});
  for (const char* file : {"first", "", "third"}) typed.mutable_inputs(0)->mutable_contents()->add_bytes_contents(file);
  for (const ModelInferRequest* request : {&raw, &std::as_const(typed)}) {
    const absl::StatusOr<InferCall> call = Decode(*request);
    ASSERT_TRUE(call.ok()) << call.status();
    ASSERT_EQ(call->recognize.images.size(), 3u);
    EXPECT_EQ(call->recognize.images[0].bytes, "first");
    EXPECT_EQ(call->recognize.images[1].bytes, "");
    EXPECT_EQ(call->recognize.images[2].bytes, "third");
    EXPECT_EQ(call->recognize.images[0].kind, ImageInput::Kind::kEncoded);
    EXPECT_EQ(call->form.input, kImagesInput);
  }
  EXPECT_EQ(Decode(raw)->recognize.images[0].bytes.data(), raw.raw_input_contents(0).data() + 4);
  EXPECT_EQ(Decode(typed)->recognize.images[2].bytes.data(), typed.inputs(0).contents().bytes_contents(2).data());
}

TEST(DecodeInferTest, TypedBytesAndFloatsBecomePixels) {
  ModelInferRequest bytes = RequestOf("pixels", "UINT8", {1, 28, 28});
  ModelInferRequest floats = RequestOf("pixels", "FP32", {1, 1, 28, 28});
  std::vector<float> values;
  for (int i = 0; i < kImagePixels; ++i) {
    bytes.mutable_inputs(0)->mutable_contents()->add_uint_contents(i % 256);
    values.push_back(static_cast<float>(i % 256) / 255);
    floats.mutable_inputs(0)->mutable_contents()->add_fp32_contents(values.back());
  }
  ModelInferRequest raw = RequestOf("pixels", "FP32", {1, 28, 28});
  raw.add_raw_input_contents(RawOf(values));
  for (const ModelInferRequest* request : {&bytes, &floats, &raw}) {
    absl::StatusOr<InferCall> call = Decode(*request);
    ASSERT_TRUE(call.ok()) << call.status();
    const InferCall moved = *std::move(call);  // what it points to moves along
    ASSERT_EQ(moved.recognize.packed_pixels.size(), static_cast<size_t>(kImagePixels));
    for (int i = 0; i < kImagePixels; ++i) {
      ASSERT_EQ(static_cast<uint8_t>(moved.recognize.packed_pixels[i]), i % 256) << i;
    }
  }
}

TEST(DecodeInferTest, FloatsAreRoundedAndMustBeWithinPaperAndInk) {
  std::vector<float> values(2 * kImagePixels, 0.5F);
  values[0] = 0;
  values[1] = 1;
  values[2] = 0.4F / 255;
  values[3] = 0.6F / 255;
  ModelInferRequest request = RequestOf("pixels", "FP32", {2, 28, 28});
  request.add_raw_input_contents(RawOf(values));
  const absl::StatusOr<InferCall> call = Decode(request);
  ASSERT_TRUE(call.ok()) << call.status();
  EXPECT_THAT(std::vector<uint8_t>(call->converted.begin(), call->converted.begin() + 5),
              ElementsAre(0, 255, 0, 1, 128));
  for (const float wrong : {-0.01F, 1.01F, 255.F, std::numeric_limits<float>::infinity(), std::nanf("")}) {
    values[kImagePixels + 5] = wrong;
    request.set_raw_input_contents(0, RawOf(values));
    ExpectRefused(request, {"input 'pixels'", "in image 1", "0 (paper) to 1 (ink)", "UINT8"});
  }
}

TEST(DecodeInferTest, UnsignedValuesAbove255AreRefused) {
  ModelInferRequest request = RequestOf("pixels", "UINT8", {1, 28, 28});
  for (int i = 0; i < kImagePixels; ++i) request.mutable_inputs(0)->mutable_contents()->add_uint_contents(0);
  request.mutable_inputs(0)->mutable_contents()->set_uint_contents(7, 256);
  ExpectRefused(request, {"input 'pixels'", "256", "0..255"});
}

TEST(DecodeInferTest, EveryShapeThatIsNotOursIsRefused) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max(), kMin = std::numeric_limits<int64_t>::min();
  for (const std::vector<int64_t>& shape : {std::vector<int64_t>{},
                                            {1},
                                            {28, 28},
                                            {1, 784},
                                            {1, 28, 27},
                                            {1, 28, 28, 1},
                                            {1, 3, 28, 28},
                                            {1, 1, 1, 28, 28},
                                            {0, 28, 28},
                                            {-1, 28, 28},
                                            {kMaxImages + 1, 28, 28},
                                            {kMax, 28, 28},
                                            {kMin, 28, 28},
                                            {1, kMax, kMax},
                                            {1, -28, -28},
                                            {int64_t{1} << 32, 28, 28},
                                            {int64_t{1} << 60, 1, 28, 28}}) {
    ModelInferRequest request = RequestOf("pixels", "UINT8", shape);
    request.add_raw_input_contents(PixelsOf(1));
    ExpectRefused(request, {"input 'pixels' has shape [", "[N,28,28] or [N,1,28,28] with N from 1 to 8"});
  }
  for (const std::vector<int64_t>& shape :
       {std::vector<int64_t>{}, {0}, {-1}, {kMaxImages + 1}, {kMax}, {kMin}, {1, 1}}) {
    ModelInferRequest request = RequestOf("images", "BYTES", shape);
    request.add_raw_input_contents(RawBytesOf({"x"}));
    ExpectRefused(request, {"input 'images' has shape [", "must be [N] with N from 1 to 8"});
  }
}

TEST(DecodeInferTest, AShapeOfManyDimensionsIsCutInTheMessage) {
  const ModelInferRequest request = RequestOf("pixels", "UINT8", std::vector<int64_t>(100'000, 28));
  ModelInferRequest with_data = request;
  with_data.add_raw_input_contents("x");
  ExpectRefused(with_data, {"[28,28,28,28,28,28,28,28,...]"});
}

TEST(DecodeInferTest, EveryOtherDatatypeIsRefused) {
  for (const char* datatype : {"", "uint8", "BOOL", "INT8", "UINT16", "INT32", "FP16", "FP64", "BF16", "BYTES"}) {
    ModelInferRequest request = RequestOf("pixels", datatype, {1, 28, 28});
    request.add_raw_input_contents(PixelsOf(1));
    ExpectRefused(request, {"input 'pixels' has datatype '", "must be UINT8 or FP32"});
  }
  ModelInferRequest request = RequestOf("images", "UINT8", {1});
  request.add_raw_input_contents("x");
  ExpectRefused(request, {"input 'images' has datatype 'UINT8', must be BYTES"});
}

TEST(DecodeInferTest, DataMustBeAsLongAsTheShapeSays) {
  for (const size_t size : {0, 783, 785, 784 * 2}) {
    ModelInferRequest request = RequestOf("pixels", "UINT8", {1, 28, 28});
    request.add_raw_input_contents(std::string(size, 'x'));
    ExpectRefused(request, {absl::StrCat("has ", size, " bytes in raw_input_contents"), "[1,28,28]", "needs 784"});
    ModelInferRequest floats = RequestOf("pixels", "FP32", {1, 28, 28});
    floats.add_raw_input_contents(std::string(4 * size + 1, '\0'));
    ExpectRefused(floats, {"needs 3136"});
    ModelInferRequest typed = RequestOf("pixels", "UINT8", {1, 28, 28});
    typed.mutable_inputs(0)->mutable_contents();
    for (size_t i = 0; i < size; ++i) typed.mutable_inputs(0)->mutable_contents()->add_uint_contents(1);
    ExpectRefused(typed, {absl::StrCat("has ", size, " elements in uint_contents"), "needs 784"});
  }
  ModelInferRequest typed = RequestOf("images", "BYTES", {2});
  typed.mutable_inputs(0)->mutable_contents()->add_bytes_contents("one");
  ExpectRefused(typed, {"has 1 elements in bytes_contents", "needs 2"});
}

TEST(DecodeInferTest, RawElementsMustEndWhereTheDataEnds) {
  const std::string good = RawBytesOf({"first", "second"});
  for (size_t size = 0; size < good.size(); ++size) {
    ModelInferRequest request = RequestOf("images", "BYTES", {2});
    request.add_raw_input_contents(good.substr(0, size));
    ExpectRefused(request,
                  {absl::StrCat("input 'images' ends after ", size, " bytes"), size < 9 ? "element 0" : "element 1"});
  }
  ModelInferRequest longer = RequestOf("images", "BYTES", {2});
  longer.add_raw_input_contents(good + "x");
  ExpectRefused(longer, {"has 1 bytes in raw_input_contents beyond the 2 elements"});
  ModelInferRequest huge = RequestOf("images", "BYTES", {1});
  huge.add_raw_input_contents(
      "\xff\xff\xff\xff"
      "abc");
  ExpectRefused(huge, {"element 0, which should have 4294967295 bytes"});
}

TEST(DecodeInferTest, DataIsRawOrTypedNeverBothOrNone) {
  ModelInferRequest both = PixelsRequest(1);
  both.mutable_inputs(0)->mutable_contents()->add_uint_contents(1);
  ExpectRefused(both, {"input 'pixels' has contents", "raw_input_contents"});
  ExpectRefused(RequestOf("pixels", "UINT8", {1, 28, 28}), {"input 'pixels' has no data"});
  ModelInferRequest many = PixelsRequest(1);
  many.add_raw_input_contents(PixelsOf(1));
  ExpectRefused(many, {"raw_input_contents has 2 entries"});
}

TEST(DecodeInferTest, ElementsInAFieldOfAnotherDatatypeAreRefused) {
  using Contents = inference::InferTensorContents;
  const std::vector<std::pair<std::string, std::function<void(Contents*)>>> fields = {
      {"bool_contents", [](Contents* c) { c->add_bool_contents(true); }},
      {"int_contents", [](Contents* c) { c->add_int_contents(1); }},
      {"int64_contents", [](Contents* c) { c->add_int64_contents(1); }},
      {"uint64_contents", [](Contents* c) { c->add_uint64_contents(1); }},
      {"fp32_contents", [](Contents* c) { c->add_fp32_contents(1); }},
      {"fp64_contents", [](Contents* c) { c->add_fp64_contents(1); }},
      {"bytes_contents", [](Contents* c) { c->add_bytes_contents("x"); }}};
  for (const auto& [name, fill] : fields) {
    ModelInferRequest request = RequestOf("pixels", "UINT8", {1, 28, 28});
    Contents* const contents = request.mutable_inputs(0)->mutable_contents();
    for (int i = 0; i < kImagePixels; ++i) contents->add_uint_contents(1);
    fill(contents);
    ExpectRefused(request, {absl::StrCat("input 'pixels' has ", name), "UINT8 belong in uint_contents"});
  }
}

TEST(DecodeInferTest, ExactlyOneKnownInput) {
  ExpectRefused(ModelInferRequest(), {"has 0 inputs", "pixels or images"});
  ModelInferRequest two = PixelsRequest(1);
  *two.add_inputs() = ImagesRequest({"x"}).inputs(0);
  ExpectRefused(two, {"has 2 inputs", "pixels or images"});
  ModelInferRequest unknown = PixelsRequest(1);
  unknown.mutable_inputs(0)->set_name(std::string(100, 'n'));
  ExpectRefused(unknown, {absl::StrCat("input '", std::string(64, 'n'), "' is unknown"), "pixels or images"});
}

TEST(DecodeInferTest, OutputsAreThoseAskedForOrAll) {
  const auto kinds = [](const ModelInferRequest& request) {
    std::vector<InferOutput> asked;
    for (const auto& output : Decode(request)->form.outputs) asked.push_back(output.kind);
    return asked;
  };
  ModelInferRequest request = PixelsRequest(1);
  EXPECT_THAT(kinds(request), ElementsAre(InferOutput::kProbabilities, InferOutput::kClass, InferOutput::kLabel,
                                          InferOutput::kVerdict));
  request.add_outputs()->set_name("verdict");
  request.add_outputs()->set_name("class");
  EXPECT_THAT(kinds(request), ElementsAre(InferOutput::kVerdict, InferOutput::kClass));
  request.add_outputs()->set_name("verdict");
  ExpectRefused(request, {"output 'verdict' is asked for twice"});
  request.mutable_outputs(2)->set_name("logits");
  ExpectRefused(request, {"output 'logits' is unknown", "probabilities, class, label or verdict"});
}

TEST(DecodeInferTest, ClassificationIsANumberAboveZeroOfProbabilities) {
  ModelInferRequest request = PixelsRequest(1);
  auto* const output = request.add_outputs();
  output->set_name("probabilities");
  auto& top = (*output->mutable_parameters())["classification"];
  top.set_int64_param(3);
  EXPECT_EQ(Decode(request)->form.outputs[0].top, 3);
  top.set_uint64_param(std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(Decode(request)->form.outputs[0].top, std::numeric_limits<int64_t>::max());
  top.set_int64_param(0);
  ExpectRefused(request, {"'classification' is 0, must be above 0"});
  top.set_string_param("3");
  ExpectRefused(request, {"'classification' must be an integer"});
  top.set_int64_param(3);
  output->set_name("label");
  ExpectRefused(request, {"output 'label' has parameter 'classification'"});
}

TEST(DecodeInferTest, TimeoutAndPriorityOfTheRequestAreHeeded) {
  ModelInferRequest request = PixelsRequest(1);
  EXPECT_EQ(Decode(request)->timeout, absl::InfiniteDuration());
  auto& parameters = *request.mutable_parameters();
  parameters["timeout"].set_int64_param(1500);
  parameters["priority"].set_uint64_param(2);
  parameters["something_else"].set_string_param("means nothing");
  EXPECT_EQ(Decode(request)->timeout, absl::Microseconds(1500));
  EXPECT_EQ(Decode(request)->recognize.task_class.priority, Priority::kBulk);
  parameters["timeout"].set_int64_param(0);
  parameters["priority"].set_int64_param(1);
  EXPECT_EQ(Decode(request)->timeout, absl::InfiniteDuration());
  EXPECT_EQ(Decode(request)->recognize.task_class.priority, Priority::kInteractive);
  parameters["timeout"].set_int64_param(-1);
  ExpectRefused(request, {"parameter 'timeout' is -1"});
  parameters["timeout"].set_double_param(1);
  ExpectRefused(request, {"parameter 'timeout' must be an integer"});
}

TEST(DecodeInferTest, SharedMemoryIsNotThere) {
  ModelInferRequest input = PixelsRequest(1), output = PixelsRequest(1);
  (*input.mutable_inputs(0)->mutable_parameters())["shared_memory_region"].set_string_param("r");
  output.add_outputs()->set_name("class");
  (*output.mutable_outputs(0)->mutable_parameters())["shared_memory_region"].set_string_param("r");
  for (const ModelInferRequest* request : {&input, &output}) {
    const absl::Status status = Decode(*request).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
    EXPECT_THAT(std::string(status.message()), HasSubstr("shared memory is not supported"));
  }
}

}  // namespace
}  // namespace digit
