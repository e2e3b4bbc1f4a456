#include "client/gateway/api/oip_json.h"

#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace digit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Read {
  absl::Status status;
  inference::ModelInferRequest request;
  InferForm form;
};

Read ReadAll(const std::string& body, const std::string& json_bytes = "") {
  Read read;
  read.status = ReadInfer(body, json_bytes, &read.request, &read.form);
  return read;
}

Read ReadWith(const std::string& text, const std::string& binary) {
  return ReadAll(text + binary, std::to_string(text.size()));
}

// The only input: `rest` are its other members.
std::string Input(const std::string& datatype, const std::string& rest) {
  return R"({"inputs":[{"name":"t","datatype":")" + datatype + R"(","shape":[2],)" + rest + "}]}";
}

std::string Complaint(const std::string& body) { return std::string(ReadAll(body).status.message()); }

TEST(OipJsonTest, ReadsEveryMemberOfARequest) {
  const Read read =
      ReadAll(R"({"id":"a","unknown":[1],"parameters":{"b":true,"i":-5,"u":18446744073709551615,"d":0.5,"s":"x"},
      "inputs":[{"name":"pixels","datatype":"UINT8","shape":[1,-2],"parameters":{"p":1},"data":[[0,255],[7]]}],
      "outputs":[{"name":"class","parameters":{"binary_data":true}},{"name":"label"}]})");
  ASSERT_TRUE(read.status.ok()) << read.status;
  const auto& request = read.request;
  EXPECT_EQ(request.id(), "a");
  EXPECT_TRUE(request.parameters().at("b").bool_param());
  EXPECT_EQ(request.parameters().at("i").int64_param(), -5);
  EXPECT_EQ(request.parameters().at("u").uint64_param(), std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(request.parameters().at("d").double_param(), 0.5);
  EXPECT_EQ(request.parameters().at("s").string_param(), "x");
  ASSERT_EQ(request.inputs_size(), 1);
  EXPECT_EQ(request.inputs(0).name(), "pixels");
  EXPECT_EQ(request.inputs(0).datatype(), "UINT8");
  EXPECT_THAT(request.inputs(0).shape(), ElementsAre(1, -2));
  EXPECT_EQ(request.inputs(0).parameters().at("p").int64_param(), 1);
  EXPECT_THAT(request.inputs(0).contents().uint_contents(), ElementsAre(0, 255, 7));
  ASSERT_EQ(request.outputs_size(), 2);
  EXPECT_EQ(request.outputs(1).name(), "label");
  EXPECT_FALSE(read.form.is_binary);
  EXPECT_THAT(read.form.outputs, ElementsAre(std::pair<const std::string, bool>("class", true)));
}

TEST(OipJsonTest, ReadsFloatsAndStringsNestedOrFlat) {
  EXPECT_THAT(ReadAll(Input("FP32", R"("data":[[0,0.5],[[1e-3]]])")).request.inputs(0).contents().fp32_contents(),
              ElementsAre(0, 0.5, 1e-3F));
  const Read plain = ReadAll(Input("BYTES", R"("data":["a\u0000b",["é"]])"));
  EXPECT_THAT(plain.request.inputs(0).contents().bytes_contents(), ElementsAre(std::string("a\0b", 3), "é"));
  EXPECT_TRUE(plain.form.has_plain_strings);
  const Read base64 =
      ReadAll(Input("BYTES", R"("parameters":{"content_type":"base64"},"data":["YWJj","data:image/png;base64,/w=="])"));
  EXPECT_THAT(base64.request.inputs(0).contents().bytes_contents(), ElementsAre("abc", "\xff"));
  EXPECT_FALSE(base64.form.has_plain_strings);
}

TEST(OipJsonTest, LeavesTypesThatItDoesNotKnowToTheDaemon) {
  const Read read = ReadAll(Input("FP16", R"("data":[1])"));
  EXPECT_TRUE(read.status.ok());
  EXPECT_TRUE(read.request.inputs(0).has_contents());
}

TEST(OipJsonTest, TakesTensorsFromBehindTheJson) {
  const std::string two =
      R"({"inputs":[{"name":"a","datatype":"UINT8","shape":[2],"parameters":{"binary_data_size":2}},)"
      R"({"name":"b","datatype":"UINT8","shape":[1],"parameters":{"binary_data_size":1}}],)"
      R"("parameters":{"binary_data_output":true}})";
  const Read read = ReadWith(two, std::string("\0\xff\x07", 3));
  ASSERT_TRUE(read.status.ok()) << read.status;
  EXPECT_THAT(read.request.raw_input_contents(), ElementsAre(std::string("\0\xff", 2), "\x07"));
  EXPECT_FALSE(read.request.inputs(0).has_contents());
  EXPECT_TRUE(read.form.is_binary);
}

TEST(OipJsonTest, TheOnlyInputNeedsNoSize) {
  const std::string raw = R"({"inputs":[{"name":"pixels","datatype":"UINT8","shape":[2]}]})";
  EXPECT_THAT(ReadWith(raw, "ab").request.raw_input_contents(), ElementsAre("ab"));
  const std::string element = R"({"inputs":[{"name":"images","datatype":"BYTES","shape":[1]}]})";
  EXPECT_THAT(ReadWith(element, "abc").request.raw_input_contents(), ElementsAre(std::string("\3\0\0\0abc", 7)));
  const std::string elements = R"({"inputs":[{"name":"images","datatype":"BYTES","shape":[2]}]})";
  EXPECT_THAT(ReadWith(elements, "abc").request.raw_input_contents(), ElementsAre("abc"));
}

TEST(OipJsonTest, ABodyWithoutJsonIsOneFile) {
  const Read read = ReadAll("P", "0");
  ASSERT_TRUE(read.status.ok()) << read.status;
  EXPECT_EQ(read.request.inputs(0).name(), "images");
  EXPECT_THAT(read.request.inputs(0).shape(), ElementsAre(1));
  EXPECT_THAT(read.request.raw_input_contents(), ElementsAre(std::string("\1\0\0\0P", 5)));
  EXPECT_TRUE(read.form.is_binary);
  EXPECT_THAT(std::string(ReadAll("", "0").status.message()), HasSubstr("empty"));
}

TEST(OipJsonTest, RefusesALengthOfTheJsonThatIsNone) {
  const std::string body = Input("UINT8", R"("data":[])");
  EXPECT_TRUE(ReadAll(body, std::to_string(body.size())).status.ok());
  for (const std::string& length : {std::to_string(body.size() + 1), std::string("-1"), std::string("+1"),
                                    std::string("1e1"), std::string("99999999999999999999"), std::string("5 5")}) {
    EXPECT_THAT(std::string(ReadAll(body, length).status.message()),
                HasSubstr("from 0 to " + std::to_string(body.size())))
        << length;
  }
  EXPECT_THAT(std::string(ReadAll(body, "3").status.message()), HasSubstr("JSON"));
}

TEST(OipJsonTest, RefusesSizesThatDoNotAddUp) {
  const auto complaint = [](const std::string& size, const std::string& binary) {
    const std::string text = Input("UINT8", R"("parameters":{"binary_data_size":)" + size + "}");
    return std::string(ReadWith(text, binary).status.message());
  };
  EXPECT_EQ(complaint("2", "ab"), "");
  EXPECT_THAT(complaint("3", "ab"), HasSubstr("is 3, but 2 bytes are left"));
  EXPECT_THAT(complaint("1", "ab"), HasSubstr("1 bytes behind"));
  for (const char* size : {"-1", "1.5", "\"1\"", "true", "18446744073709551615"}) {
    EXPECT_THAT(complaint(size, "ab"), HasSubstr("must be an integer, 0 or above")) << size;
  }
  EXPECT_THAT(Complaint(Input("UINT8", R"("parameters":{"binary_data_size":2})")),
              HasSubstr("without Inference-Header-Content-Length"));
  EXPECT_THAT(Complaint(Input("UINT8", R"("parameters":{"binary_data_size":0},"data":[])")), HasSubstr("both"));
}

TEST(OipJsonTest, SaysWhatIsWrong) {
  EXPECT_THAT(Complaint(""), HasSubstr("JSON"));
  EXPECT_THAT(Complaint("{\"id\":\"\xff\"}"), HasSubstr("JSON"));
  EXPECT_THAT(Complaint("[]"), HasSubstr("must be an object"));
  EXPECT_THAT(Complaint("{}"), HasSubstr("no \"inputs\""));
  EXPECT_THAT(Complaint(R"({"id":7})"), HasSubstr("\"id\" of the request is 7, must be a string"));
  EXPECT_THAT(Complaint(R"({"inputs":{}})"), HasSubstr("must be a list"));
  EXPECT_THAT(Complaint(R"({"inputs":[7]})"), HasSubstr("inputs[0] must be an object"));
  EXPECT_THAT(Complaint(R"({"inputs":[{}]})"), HasSubstr("inputs[0] has no \"name\""));
  EXPECT_THAT(Complaint(R"({"inputs":[{"name":"t"}]})"), HasSubstr("no \"datatype\""));
  EXPECT_THAT(Complaint(R"({"inputs":[{"name":"t","datatype":"UINT8","data":[]}]})"), HasSubstr("no \"shape\""));
  EXPECT_THAT(Complaint(R"({"inputs":[{"name":"t","datatype":"UINT8","shape":[1.5],"data":[]}]})"), HasSubstr("1.5"));
  EXPECT_THAT(Complaint(R"({"inputs":[{"name":"t","datatype":"UINT8","shape":[18446744073709551615],"data":[]}]})"),
              HasSubstr("integers"));
  EXPECT_THAT(Complaint(R"({"inputs":[{"name":"t","datatype":"UINT8","shape":[1]}]})"), HasSubstr("neither"));
  EXPECT_THAT(Complaint(Input("UINT8", R"("data":"x")")), HasSubstr("must be a list"));
  for (const char* value :
       {"-1", "256", "4294967297", "18446744073709551615", "1.5", "1.0", "true", "null", "\"1\"", "{}"}) {
    EXPECT_THAT(Complaint(Input("UINT8", std::string(R"("data":[0,)") + value + "]")),
                HasSubstr("element 1 of \"data\" of inputs[0] is "))
        << value;
  }
  for (const char* value : {"1e39", "-1e300", "\"1\"", "null"}) {
    EXPECT_THAT(Complaint(Input("FP32", std::string(R"("data":[[0],[)") + value + "]]")), HasSubstr("element 1"))
        << value;
  }
  EXPECT_THAT(Complaint(Input("BYTES", R"("data":["a",7])")), HasSubstr("element 1 of \"data\" of inputs[0] is 7"));
  EXPECT_THAT(Complaint(Input("BYTES", R"("parameters":{"content_type":"base64"},"data":["!"])")),
              HasSubstr("element 0 of \"data\" of inputs[0] is neither base64"));
  EXPECT_THAT(Complaint(Input("UINT8", R"("data":[],"parameters":[])")), HasSubstr("\"parameters\" of inputs[0]"));
  EXPECT_THAT(Complaint(Input("UINT8", R"("data":[],"parameters":{"x":null})")),
              HasSubstr("\"x\" of inputs[0] is null"));
  EXPECT_THAT(Complaint(R"({"parameters":{"binary_data_output":1}})"), HasSubstr("must be true or false"));
  EXPECT_THAT(Complaint(R"({"inputs":[],"outputs":[{"name":"class","parameters":{"binary_data":"yes"}}]})"),
              HasSubstr("\"binary_data\" of outputs[0]"));
  EXPECT_FALSE(ReadAll(Input("UINT8", "\"data\":" + std::string(100, '[') + std::string(100, ']'))).status.ok());
}

inference::ModelInferResponse Response() {
  inference::ModelInferResponse response;
  response.set_model_name("mnist");
  response.set_model_version("3");
  const auto add = [&](const char* name, const char* datatype, std::vector<int64_t> shape, const std::string& raw) {
    auto* output = response.add_outputs();
    output->set_name(name);
    output->set_datatype(datatype);
    for (const int64_t dim : shape) output->add_shape(dim);
    response.add_raw_output_contents(raw);
  };
  const float floats[] = {0.1F, 1e-7F};
  add("probabilities", "FP32", {1, 2}, std::string(reinterpret_cast<const char*>(floats), sizeof(floats)));
  add("class", "INT32", {1}, std::string("\xff\xff\xff\xff", 4));
  add("label", "BYTES", {2}, std::string("\1\0\0\0\"\0\0\0\0", 9));
  return response;
}

TEST(OipJsonTest, WritesOutputsAsJson) {
  inference::ModelInferResponse response = Response();
  response.set_id("a\"b");
  const auto answer = WriteInfer(response, {});
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_FALSE(answer->has_tensors);
  EXPECT_EQ(answer->body, R"({"model_name":"mnist","model_version":"3","id":"a\"b","outputs":[)"
                          R"({"name":"probabilities","datatype":"FP32","shape":[1,2],"data":[0.1,1e-07]},)"
                          R"({"name":"class","datatype":"INT32","shape":[1],"data":[-1]},)"
                          R"({"name":"label","datatype":"BYTES","shape":[2],"data":["\"",""]}]})");
}

TEST(OipJsonTest, WritesOutputsBehindTheJson) {
  InferForm form;
  form.is_binary = true;
  form.outputs = {{"class", false}};
  const auto answer = WriteInfer(Response(), form);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_TRUE(answer->has_tensors);
  EXPECT_EQ(answer->body.substr(0, answer->json_bytes),
            R"({"model_name":"mnist","model_version":"3","outputs":[)"
            R"({"name":"probabilities","datatype":"FP32","shape":[1,2],"parameters":{"binary_data_size":8}},)"
            R"({"name":"class","datatype":"INT32","shape":[1],"data":[-1]},)"
            R"({"name":"label","datatype":"BYTES","shape":[2],"parameters":{"binary_data_size":9}}]})");
  EXPECT_EQ(answer->body.substr(answer->json_bytes),
            Response().raw_output_contents(0) + Response().raw_output_contents(2));
}

TEST(OipJsonTest, AnAnswerThatIsNoneIsInternal) {
  inference::ModelInferResponse missing = Response();
  missing.mutable_raw_output_contents()->RemoveLast();
  EXPECT_TRUE(absl::IsInternal(WriteInfer(missing, {}).status()));
  for (int i = 0; i < 3; ++i) {
    inference::ModelInferResponse cut = Response();
    cut.mutable_raw_output_contents(i)->pop_back();
    if (i == 2) cut.mutable_raw_output_contents(i)->assign("\2\0\0\0x", 5);
    EXPECT_TRUE(absl::IsInternal(WriteInfer(cut, {}).status())) << i;
  }
}

TEST(OipJsonTest, ReadsWhatALoadAsksFor) {
  inference::RepositoryModelLoadRequest request;
  EXPECT_TRUE(ReadRepositoryParameters("", request.mutable_parameters()).ok());
  EXPECT_THAT(request.parameters(), IsEmpty());
  EXPECT_TRUE(ReadRepositoryParameters(R"({"parameters":{"unload_dependents":true,"config":"{}","n":1}})",
                                       request.mutable_parameters())
                  .ok());
  EXPECT_TRUE(request.parameters().at("unload_dependents").bool_param());
  EXPECT_EQ(request.parameters().at("config").string_param(), "{}");
  EXPECT_EQ(request.parameters().at("n").int64_param(), 1);
  EXPECT_FALSE(ReadRepositoryParameters("[]", request.mutable_parameters()).ok());
  EXPECT_FALSE(ReadRepositoryParameters(R"({"parameters":7})", request.mutable_parameters()).ok());
}

TEST(OipJsonTest, ShowsMessagesWithNumbersAsNumbers) {
  inference::ModelStatistics stats;
  stats.set_version("3");
  stats.set_inference_count(std::numeric_limits<uint64_t>::max());
  stats.mutable_inference_stats()->mutable_success()->set_count(2);
  const json::value shown = OipJson(stats);
  EXPECT_EQ(shown.at("version").as_string(), "3");
  EXPECT_EQ(shown.at("inference_count").as_uint64(), std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(shown.at("inference_stats").at("success").at("count").to_number<int>(), 2);
  EXPECT_EQ(shown.at("inference_stats").at("fail").at("count").to_number<int>(), 0);

  inference::ModelConfig config;
  config.add_input()->set_data_type(inference::TYPE_STRING);
  config.mutable_input(0)->add_dims(-1);
  config.mutable_input(0)->set_optional(true);
  EXPECT_EQ(json::serialize(OipJson(config).at("input")),
            R"([{"name":"","data_type":"TYPE_STRING","dims":[-1],"optional":true}])");

  inference::ModelMetadataResponse metadata;
  (*metadata.mutable_properties())["engine"] = "cpu";
  EXPECT_EQ(OipJson(metadata).at("properties").at("engine").as_string(), "cpu");
}

}  // namespace
}  // namespace digit
