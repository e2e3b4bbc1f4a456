// The promise of model/image: a digit that was framed before gets the same class however it is sent.
//
// Needs MNIST's test set (DIGIT_MNIST_DIR, or data/mnist under the source folder) and the shipped model
// (DIGIT_MODEL, or model/pretrained/mnist.pt). Takes every fourth picture, so that all variants together stay under a
// minute on one core.
#include <algorithm>
#include <cstdlib>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/dataset/idx.h"
#include "model/engine/cpu_engine.h"
#include "model/engine/model.h"
#include "model/image/image_framer.h"
#include "tests/support/image_encoding.h"
#include "tests/support/picture_variants.h"

namespace digit {
namespace {

using ::digit::testing::EncodeJpeg;
using ::digit::testing::EncodePgm;
using ::digit::testing::EnlargeNearest;
using ::digit::testing::EnlargeSmooth;
using ::digit::testing::Invert;
using ::digit::testing::MoveOnCanvas;
using ::digit::testing::PutOnPaper;

constexpr double kLeastAgreement = 0.995;
constexpr int kEvery = 4;  // 1: the whole test set, in about three minutes

std::string FromEnvironment(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : otherwise;
}

LabeledImages Sample(const LabeledImages& all) {
  LabeledImages sample;
  for (int i = 0; i < all.size(); i += kEvery) {
    const absl::Span<const uint8_t> image = all.image(i);
    sample.pixels.insert(sample.pixels.end(), image.begin(), image.end());
    sample.labels.push_back(all.labels[i]);
  }
  return sample;
}

std::vector<int> Classify(InferenceEngine& engine, absl::Span<const uint8_t> pixels) {
  constexpr size_t kBatch = 100;
  const size_t num_images = pixels.size() / kImagePixels, num_classes = static_cast<size_t>(engine.num_classes());
  std::vector<int> classes;
  for (size_t first = 0; first < num_images; first += kBatch) {
    const size_t n = std::min(kBatch, num_images - first);
    std::vector<float> scores(n * num_classes);
    const absl::Status status =
        engine.Infer(pixels.subspan(first * kImagePixels, n * kImagePixels), absl::MakeSpan(scores));
    EXPECT_TRUE(status.ok()) << status;
    for (size_t i = 0; i < n; ++i) {
      const auto row = scores.begin() + static_cast<std::ptrdiff_t>(i * num_classes);
      classes.push_back(static_cast<int>(std::max_element(row, row + engine.num_classes()) - row));
    }
  }
  return classes;
}

struct Variant {
  const char* name;
  std::function<std::string(const GreyPicture& digit, std::mt19937& random)> file;
};

const Variant kVariants[] = {
    {"Nearest2", [](const GreyPicture& d, std::mt19937&) { return EncodePgm(EnlargeNearest(d, 2)); }},
    {"Nearest4", [](const GreyPicture& d, std::mt19937&) { return EncodePgm(EnlargeNearest(d, 4)); }},
    {"Nearest8", [](const GreyPicture& d, std::mt19937&) { return EncodePgm(EnlargeNearest(d, 8)); }},
    {"Smooth2", [](const GreyPicture& d, std::mt19937&) { return EncodePgm(EnlargeSmooth(d, 2)); }},
    {"Smooth4", [](const GreyPicture& d, std::mt19937&) { return EncodePgm(EnlargeSmooth(d, 4)); }},
    {"Smooth8", [](const GreyPicture& d, std::mt19937&) { return EncodePgm(EnlargeSmooth(d, 8)); }},
    {"Inverted", [](const GreyPicture& d, std::mt19937&) { return EncodePgm(Invert(EnlargeSmooth(d, 4))); }},
    {"Inverted28", [](const GreyPicture& d, std::mt19937&) { return EncodePgm(Invert(d)); }},
    {"Moved", [](const GreyPicture& d, std::mt19937& r) { return EncodePgm(MoveOnCanvas(EnlargeSmooth(d, 4), 0, r)); }},
    {"Moved28", [](const GreyPicture& d, std::mt19937& r) { return EncodePgm(MoveOnCanvas(d, 0, r)); }},
    {"Jpeg75", [](const GreyPicture& d, std::mt19937&) { return EncodeJpeg(EnlargeSmooth(d, 4), 75); }},
    {"Jpeg90", [](const GreyPicture& d, std::mt19937&) { return EncodeJpeg(EnlargeSmooth(d, 4), 90); }},
    {"Jpeg75Nearest2", [](const GreyPicture& d, std::mt19937&) { return EncodeJpeg(EnlargeNearest(d, 2), 75); }},
    {"Paper", [](const GreyPicture& d, std::mt19937& r) { return EncodePgm(PutOnPaper(EnlargeSmooth(d, 8), {}, r)); }},
    {"PaperJpeg75",
     [](const GreyPicture& d, std::mt19937& r) {
       return EncodeJpeg(PutOnPaper(MoveOnCanvas(EnlargeSmooth(d, 8), 0, r), {}, r), 75);
     }},
};

class ImageVariantsTest : public ::testing::TestWithParam<Variant> {
 protected:
  static void SetUpTestSuite() {
    InitImageLibrary();
    absl::StatusOr<LabeledImages> images =
        ReadIdxFolder(FromEnvironment("DIGIT_MNIST_DIR", "data/mnist"), Split::kTest);
    ASSERT_TRUE(images.ok()) << images.status() << "; fetch it with: digit-train fetch mnist";
    absl::StatusOr<Model> model = LoadModel(FromEnvironment("DIGIT_MODEL", "model/pretrained/mnist.pt"));
    ASSERT_TRUE(model.ok()) << model.status();
    absl::StatusOr<std::unique_ptr<InferenceEngine>> engine = CpuEngine::Create(*model);
    ASSERT_TRUE(engine.ok()) << engine.status();
    images_ = new LabeledImages(Sample(*images));
    engine_ = engine->release();
    expected_ = new std::vector<int>(Classify(*engine_, images_->pixels));
  }
  static void TearDownTestSuite() {
    delete images_;
    delete engine_;
    delete expected_;
  }

  static const LabeledImages* images_;
  static InferenceEngine* engine_;
  static const std::vector<int>* expected_;  // the class of every original
};
const LabeledImages* ImageVariantsTest::images_ = nullptr;
InferenceEngine* ImageVariantsTest::engine_ = nullptr;
const std::vector<int>* ImageVariantsTest::expected_ = nullptr;

TEST_P(ImageVariantsTest, KeepsTheClassOfTheOriginal) {
  ASSERT_NE(expected_, nullptr) << "no data or no model, see above";
  std::mt19937 random(7);
  std::vector<uint8_t> pixels;
  pixels.reserve(images_->pixels.size());
  int num_refused = 0;
  for (int i = 0; i < images_->size(); ++i) {
    const std::string file = GetParam().file(testing::PictureOf(images_->image(i)), random);
    const FramedImage framed = FrameImage(file, Framing::kMnist);
    num_refused += framed.problem != ImageProblem::kNone;
    pixels.insert(pixels.end(), framed.pixels.begin(), framed.pixels.end());
  }
  const std::vector<int> classes = Classify(*engine_, pixels);
  int num_same = 0, num_right = 0;
  for (int i = 0; i < images_->size(); ++i) {
    num_same += classes[i] == (*expected_)[i];
    num_right += classes[i] == images_->labels[i];
  }
  std::printf("%-16s same class %.2f %%, accuracy %.2f %%, refused %d\n", GetParam().name,
              100.0 * num_same / images_->size(), 100.0 * num_right / images_->size(), num_refused);
  EXPECT_EQ(num_refused, 0);
  EXPECT_GE(num_same, kLeastAgreement * images_->size());
}

INSTANTIATE_TEST_SUITE_P(All, ImageVariantsTest, ::testing::ValuesIn(kVariants),
                         [](const ::testing::TestParamInfo<Variant>& param) { return param.param.name; });

}  // namespace
}  // namespace digit
