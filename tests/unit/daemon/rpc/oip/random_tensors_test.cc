// Requests that are nearly right, by the thousand: DecodeInfer() refuses them with a message or gives what the core can
// read. tests/fuzz/tensor_fuzzer.cc does the same with coverage.
#include <random>

#include "daemon/rpc/oip/tensor_codec.h"
#include "google/protobuf/stubs/logging.h"
#include "gtest/gtest.h"
#include "tests/unit/daemon/rpc/oip/tensor_checks.h"
#include "tests/unit/daemon/rpc/oip/tensors.h"

namespace digit {
namespace {

using inference::ModelInferRequest;

std::vector<ModelInferRequest> GoodRequests() {
  ModelInferRequest typed = RequestOf("pixels", "UINT8", {1, 1, 28, 28});
  ModelInferRequest floats = RequestOf("pixels", "FP32", {1, 28, 28});
  for (int i = 0; i < kImagePixels; ++i) typed.mutable_inputs(0)->mutable_contents()->add_uint_contents(i % 256);
  floats.add_raw_input_contents(RawOf(std::vector<float>(kImagePixels, 0.5F)));
  ModelInferRequest files = ImagesRequest({"one", "", "three"});
  auto* const output = files.add_outputs();
  output->set_name("probabilities");
  (*output->mutable_parameters())["classification"].set_int64_param(3);
  (*files.mutable_parameters())["timeout"].set_int64_param(1000);
  return {PixelsRequest(1, 3), typed, floats, files};
}

TEST(RandomTensorsTest, BytesOfARequestThatAreChangedAtRandom) {
  const auto seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  const google::protobuf::LogSilencer quiet;  // names that are no UTF-8
  int parsed = 0, decoded = 0;
  for (const ModelInferRequest& good : GoodRequests()) {
    const std::string bytes = good.SerializeAsString();
    for (int round = 0; round < 5'000; ++round) {
      std::string changed = bytes;
      // Mostly within the first bytes, where the names, shapes and lengths are.
      for (int i = static_cast<int>(random() % 4); i >= 0; --i) {
        const size_t at = random() % (random() % 4 == 0 ? changed.size() : std::min<size_t>(changed.size(), 60));
        if (random() % 3 == 0) {
          changed.erase(at, 1 + random() % 3);
        } else {
          changed[at] = static_cast<char>(random());
        }
      }
      ModelInferRequest request;
      if (!request.ParseFromString(changed)) continue;
      ++parsed;
      if (CheckDecoded(request)) ++decoded;
    }
  }
  EXPECT_GT(parsed, 1000);
  EXPECT_GT(decoded, 100);
}

TEST(RandomTensorsTest, ShapesAndSizesAtRandom) {
  const auto seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  const int64_t dims[] = {0,         1,        -1, 2, 3, 28, 27, 784, 1 << 16, int64_t{1} << 32, int64_t{1} << 62,
                          INT64_MAX, INT64_MIN};
  const char* const datatypes[] = {"UINT8", "FP32", "BYTES", "INT32"};
  int decoded = 0;
  for (int round = 0; round < 50'000; ++round) {
    std::vector<int64_t> shape;
    if (random() % 2 == 0) {
      shape = {1 + static_cast<int64_t>(random() % 3), 28, 28};
    } else {
      for (size_t i = random() % 5; i > 0; --i) shape.push_back(dims[random() % std::size(dims)]);
    }
    ModelInferRequest request =
        RequestOf(random() % 2 == 0 ? "pixels" : "images", datatypes[random() % std::size(datatypes)], shape);
    const size_t sizes[] = {0, 3, 4, 784, 1568, 3136, 6272, 9408, random() % 10'000};
    std::string raw(sizes[random() % std::size(sizes)], '\0');
    if (raw.size() >= 4 && random() % 2 == 0) raw[0] = static_cast<char>(random() % 8);  // the length of an element
    request.add_raw_input_contents(std::move(raw));
    if (CheckDecoded(request)) ++decoded;
  }
  EXPECT_GT(decoded, 100);
}

}  // namespace
}  // namespace digit
