// Messages as they stand on the wire, written by hand from the protocol's field numbers. What other people's clients
// send and read must stay so, whatever becomes of our proto file.
#include <algorithm>
#include <string>

#include "absl/strings/escaping.h"
#include "daemon/rpc/oip/tensor_codec.h"
#include "gtest/gtest.h"
#include "inference/grpc_service.grpc.pb.h"
#include "tests/unit/daemon/rpc/oip/tensors.h"

namespace digit {
namespace {

// Bytes of "0a 05 ...", spaces wherever they help.
std::string Hex(std::string text) {
  text.erase(std::remove(text.begin(), text.end(), ' '), text.end());
  return absl::HexStringToBytes(text);
}

// Parsed, all of it known, and the same when written again.
template <typename Message>
Message Parsed(const std::string& bytes) {
  Message message;
  EXPECT_TRUE(message.ParseFromString(bytes));
  EXPECT_EQ(message.SerializeAsString(), bytes) << message.DebugString();
  message.DiscardUnknownFields();
  EXPECT_EQ(message.ByteSizeLong(), bytes.size()) << "some of it was unknown";
  return message;
}

constexpr char kMnist[] = "6d6e697374";                             // mnist
constexpr char kPixels[] = "706978656c73";                          // pixels
constexpr char kClass[] = "636c617373";                             // class
constexpr char kProbabilities[] = "70726f626162696c6974696573";     // probabilities
constexpr char kClassification[] = "636c617373696669636174696f6e";  // classification

TEST(WireTest, ModelInferRequestRaw) {
  const std::string bytes = Hex(std::string("0a 05 ") + kMnist +             // model_name = 1
                                "12 01 33"                                   // model_version = 2: "3"
                                "1a 02 6137"                                 // id = 3: "a7"
                                "22 0e 0a 07 74696d656f7574 12 03 10 88 27"  // parameters = 4: timeout 5000
                                "2a 14 0a 06 " +
                                kPixels +
                                "12 05 55494e5438 1a 03 011c1c"  // inputs = 5: UINT8 [1,28,28]
                                "32 07 0a 05 " +
                                kClass +  // outputs = 6
                                "32 25 0a 0d " + kProbabilities + "12 14 0a 0e " + kClassification +
                                "12 02 10 03"
                                "3a 90 06") +
                            PixelsOf(4);  // raw_input_contents = 7
  const auto request = Parsed<inference::ModelInferRequest>(bytes);
  const absl::StatusOr<InferCall> call = DecodeInfer(request, 1);
  ASSERT_TRUE(call.ok()) << call.status();
  EXPECT_EQ(call->recognize.model, "mnist");
  EXPECT_EQ(call->recognize.version, "3");
  EXPECT_EQ(call->timeout, absl::Microseconds(5000));
  EXPECT_EQ(call->recognize.packed_pixels, PixelsOf(4));
  ASSERT_EQ(call->form.outputs.size(), 2u);
  EXPECT_EQ(call->form.outputs[1].top, 3);
  EXPECT_EQ(request.id(), "a7");
}

TEST(WireTest, ModelInferRequestTyped) {
  const std::string pixels = PixelsOf(4);  // below 128: one byte each as a varint too
  const std::string tensor = Hex(std::string("0a 06 ") + kPixels +
                                 "12 05 55494e5438 1a 03 011c1c"
                                 "2a 93 06 22 90 06") +
                             pixels;  // contents = 5: uint_contents = 4, packed
  ASSERT_EQ(tensor.size(), 810u);
  const absl::StatusOr<InferCall> typed =
      DecodeInfer(Parsed<inference::ModelInferRequest>(Hex("2a aa 06") + tensor), 1);
  ASSERT_TRUE(typed.ok()) << typed.status();
  EXPECT_EQ(typed->recognize.packed_pixels, pixels);

  const std::string floats = Hex(std::string("0a 06 ") + kPixels +
                                 "12 04 46503332 1a 04 01011c1c"
                                 "2a c3 18 32 c0 18") +
                             std::string(3136, '\0');  // fp32_contents = 6
  ASSERT_EQ(floats.size(), 3156u + 6);
  EXPECT_TRUE(DecodeInfer(Parsed<inference::ModelInferRequest>(Hex("2a da 18") + floats), 1).ok());

  const auto images = Parsed<inference::ModelInferRequest>(
      Hex("2a 1c 0a 06 696d61676573 12 05 4259544553 1a 01 02 2a 08 42 02 6162 42 02 6364"));  // bytes_contents = 8
  const absl::StatusOr<InferCall> files = DecodeInfer(images, 2);
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_EQ(files->recognize.images[1].bytes, "cd");
}

TEST(WireTest, EveryFieldOfContentsAndParameters) {
  Parsed<inference::InferTensorContents>(
      Hex("0a 01 01"                // bool 1
          "12 01 02"                // int 2
          "1a 01 03"                // int64 3
          "22 01 04"                // uint 4
          "2a 01 05"                // uint64 5
          "32 04 0000803f"          // fp32 6
          "3a 08 000000000000f03f"  // fp64 7
          "42 01 78"));             // bytes 8
  for (const char* parameter : {"08 01", "10 05", "1a 01 78", "21 000000000000f03f", "28 05"}) {
    Parsed<inference::InferParameter>(Hex(parameter));
  }
  for (const char* parameter : {"08 01", "10 05", "1a 01 78", "22 01 78"}) {
    Parsed<inference::ModelRepositoryParameter>(Hex(parameter));
  }
}

TEST(WireTest, ModelInferResponse) {
  Model model;
  model.spec = DefaultSpec(10);
  auto live = std::make_shared<LiveModel>();
  live->name = "mnist";
  live->version = "3";
  live->model = std::make_shared<const Model>(std::move(model));
  RecognizeResult result{.model = live};
  result.images.emplace_back().prediction.label_index = 7;
  InferAnswerForm form;
  form.outputs = {{InferOutput::kClass}, {InferOutput::kLabel}};
  inference::ModelInferResponse response;
  ASSERT_TRUE(EncodeInfer(result, form, "a7", &response).ok());
  const std::string bytes = Hex(std::string("0a 05 ") + kMnist +
                                "12 01 33 1a 02 6137"  // model_name, model_version, id
                                "2a 11 0a 05 " +
                                kClass +
                                "12 05 494e543332 1a 01 01"                         // outputs = 5: INT32 [1]
                                "2a 11 0a 05 6c6162656c 12 05 4259544553 1a 01 01"  // label BYTES [1]
                                "32 04 07000000"                                    // raw_output_contents = 6
                                "32 05 01000000 37");
  EXPECT_EQ(response.SerializeAsString(), bytes);
  Parsed<inference::ModelStreamInferResponse>(Hex("0a 03 626164 12 04 1a 02 6137"));  // error_message 1, response 2
}

TEST(WireTest, ServerAndModel) {
  EXPECT_TRUE(Parsed<inference::ServerLiveResponse>(Hex("08 01")).live());
  EXPECT_TRUE(Parsed<inference::ServerReadyResponse>(Hex("08 01")).ready());
  EXPECT_TRUE(Parsed<inference::ModelReadyResponse>(Hex("08 01")).ready());
  const std::string name_and_version = Hex(std::string("0a 05 ") + kMnist + "12 01 33");
  EXPECT_EQ(Parsed<inference::ModelReadyRequest>(name_and_version).version(), "3");
  EXPECT_EQ(Parsed<inference::ModelMetadataRequest>(name_and_version).version(), "3");
  EXPECT_EQ(Parsed<inference::ModelConfigRequest>(name_and_version).version(), "3");
  EXPECT_EQ(Parsed<inference::ModelStatisticsRequest>(name_and_version).version(), "3");
  EXPECT_EQ(Parsed<inference::ServerMetadataResponse>(Hex("0a 01 64 12 01 31 1a 01 65")).extensions(0), "e");
  const auto metadata = Parsed<inference::ModelMetadataResponse>(
      Hex("0a 01 6d 12 01 33 1a 01 70"                                           // name 1, versions 2, platform 3
          "22 19 0a 01 61 12 05 55494e5438 1a 0d ffffffffffffffffff01 1c 1c 01"  // inputs 4: shape [-1,28,28,1]
          "2a 03 0a 01 62"                                                       // outputs 5
          "32 06 0a 01 6b 12 01 76"));                                           // properties 6
  EXPECT_EQ(metadata.inputs(0).shape(0), -1);
  EXPECT_EQ(metadata.properties().at("k"), "v");
}

TEST(WireTest, ConfigAndStatistics) {
  const auto config =
      Parsed<inference::ModelConfigResponse>(
          Hex("0a 2b 0a 01 6d 12 01 70 20 8008"         // config 1: name 1, platform 2, max_batch_size 4: 1024
              "2a 0b 0a 01 61 10 02 22 02 1c1c 40 01"   // input 5: data_type 2, dims 4, optional 8
              "32 0b 0a 01 62 10 0b 1a 01 0a 22 01 6c"  // output 6: data_type 2, dims 3, label_filename 4
              "5a 00 8a01 03 637075"))                  // dynamic_batching 11, backend 17
          .config();
  EXPECT_EQ(config.max_batch_size(), 1024);
  EXPECT_EQ(config.input(0).data_type(), inference::TYPE_UINT8);
  EXPECT_EQ(config.output(0).data_type(), inference::TYPE_FP32);
  EXPECT_EQ(config.backend(), "cpu");
  EXPECT_EQ(inference::TYPE_INT32, 8);
  EXPECT_EQ(inference::TYPE_STRING, 13);
  const auto statistics =
      Parsed<inference::ModelStatisticsResponse>(
          Hex("0a 24 0a 01 6d 12 01 33 18 01 20 02 28 03"  // last_inference 3, inference_count 4, execution_count 5
              "32 16 0a 04 08 05 10 06"                    // inference_stats 6: success 1 {count 1, ns 2}
              "12 02 08 01 1a 04 08 05 10 07 2a 04 08 05 10 08"))  // fail 2, queue 3, compute_infer 5
          .model_stats(0);
  EXPECT_EQ(statistics.execution_count(), 3u);
  EXPECT_EQ(statistics.inference_stats().compute_infer().ns(), 8u);
}

TEST(WireTest, Repository) {
  EXPECT_TRUE(Parsed<inference::RepositoryIndexRequest>(Hex("0a 01 72 10 01")).ready());
  EXPECT_EQ(
      Parsed<inference::RepositoryIndexResponse>(Hex("0a 0c 0a 01 6d 12 01 33 1a 01 73 22 01 72")).models(0).state(),
      "s");
  const std::string load = Hex(std::string("12 05 ") + kMnist + "1a 0e 0a 06 636f6e666967 12 04 1a 02 7b7d");
  EXPECT_EQ(Parsed<inference::RepositoryModelLoadRequest>(load).model_name(), "mnist") << "field 2, not 1";
  EXPECT_EQ(Parsed<inference::RepositoryModelLoadRequest>(load).parameters().at("config").string_param(), "{}");
  EXPECT_EQ(Parsed<inference::RepositoryModelUnloadRequest>(load).model_name(), "mnist");
}

TEST(WireTest, NamesOfTheServiceAndItsMethods) {
  const auto* service = inference::ModelInferRequest::descriptor()->file()->FindServiceByName("GRPCInferenceService");
  ASSERT_NE(service, nullptr);
  EXPECT_EQ(service->full_name(), "inference.GRPCInferenceService");
  for (const char* method :
       {"ServerLive", "ServerReady", "ModelReady", "ServerMetadata", "ModelMetadata", "ModelInfer", "ModelStreamInfer",
        "ModelConfig", "ModelStatistics", "RepositoryIndex", "RepositoryModelLoad", "RepositoryModelUnload"}) {
    EXPECT_NE(service->FindMethodByName(method), nullptr) << method;
  }
  EXPECT_TRUE(service->FindMethodByName("ModelStreamInfer")->client_streaming());
  EXPECT_TRUE(service->FindMethodByName("ModelStreamInfer")->server_streaming());
}

}  // namespace
}  // namespace digit
