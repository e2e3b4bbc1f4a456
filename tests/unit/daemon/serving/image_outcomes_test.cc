// What is counted of images, from their way in to their answer.
#include <future>
#include <thread>

#include "daemon/serving/recognizer.h"
#include "gtest/gtest.h"
#include "tests/support/fake_engine.h"
#include "tests/support/image_encoding.h"
#include "tests/support/metric_value.h"
#include "tests/support/simulated_clock.h"

namespace digit {
namespace {

std::string Raw(int c, int images = 1) {
  std::string bytes(static_cast<size_t>(images) * kImagePixels, '\0');
  for (int i = 0; i < images; ++i) bytes[static_cast<size_t>(i) * kImagePixels] = static_cast<char>(10 + c);
  return bytes;
}

class ImageOutcomesTest : public ::testing::Test {
 protected:
  void SetUp() override { InitImageLibrary(); }
  void Serve(const Model& model) { ASSERT_TRUE(registry_.Add("fake", "1", model, absl::UnixEpoch()).ok()); }
  absl::Status Run(RecognizeCall call) {
    const auto done = std::make_shared<std::promise<absl::Status>>();
    recognizer_.Recognize(std::move(call),
                          [done](const absl::StatusOr<RecognizeResult>& result) { done->set_value(result.status()); });
    return done->get_future().get();
  }
  double Images(const std::string& outcome) const { return ValueOf(metrics_, "digit_images_total", {"fake", outcome}); }

  MetricRegistry metrics_;
  ModelMetricFamilies families_{&metrics_};
  FakeEngineFactory engines_;
  SimulatedClock clock_;
  std::unique_ptr<Pool> pool_ = *Pool::Create(
      {.max_batch_size = 4, .max_queued_images = 8, .engines = &engines_, .metrics = &families_, .clock = &clock_});
  ModelRegistry registry_{pool_.get()};
  DecodePool decode_pool_{{.threads = 1, .max_queued = 2, .metrics = DecodeMetrics::In(&metrics_)}};
  Recognizer recognizer_{{.clock = &clock_}, &registry_, &decode_pool_};
};

TEST_F(ImageOutcomesTest, VerdictsAndErrorsOfSingleImages) {
  Serve(FakeModel());
  const std::string raw = Raw(3, 2), blank(kImagePixels, '\0');
  ASSERT_TRUE(Run({.images = {{ImageInput::Kind::kPixels, blank},
                              {ImageInput::Kind::kPixels, "short"},
                              {ImageInput::Kind::kEncoded, "no picture"}},
                   .packed_pixels = raw})
                  .ok());
  EXPECT_EQ(Images("none"), 2);  // the model has no thresholds
  EXPECT_EQ(Images("no_digit"), 1);
  EXPECT_EQ(Images("undecodable"), 2);
  EXPECT_EQ(Images("confident"), 0);
  while (ValueOf(metrics_, "digit_decode_seconds") < 1) std::this_thread::yield();  // counted after the answer
  EXPECT_EQ(ValueOf(metrics_, "digit_decode_seconds"), 1);
  EXPECT_EQ(ValueOf(metrics_, "digit_decode_queue_wait_seconds"), 1);
}

TEST_F(ImageOutcomesTest, ASmallPictureIsDecodedWithoutWaiting) {
  Serve(FakeModel());
  GreyPicture picture{kImageSide, kImageSide, std::vector<uint8_t>(kImagePixels)};
  picture.pixels[400] = 255;
  const std::string file = testing::OnlyNeededChunks(testing::EncodePng(picture));
  ASSERT_TRUE(
      Run({.images = std::vector<ImageInput>(3, {ImageInput::Kind::kEncoded, file})}).ok());  // the queue holds 2
  EXPECT_EQ(Images("none"), 3);
  EXPECT_EQ(ValueOf(metrics_, "digit_decode_seconds"), 3);
  EXPECT_EQ(ValueOf(metrics_, "digit_decode_queue_wait_seconds"), 0);
}

TEST_F(ImageOutcomesTest, VerdictsByTheModelsThresholds) {
  Model model = FakeModel();
  model.spec.thresholds = Thresholds{.unsure_below = 0.5, .not_a_digit_below = -1000};
  Serve(model);
  const std::string raw = Raw(3, 3);
  ASSERT_TRUE(Run({.packed_pixels = raw}).ok());
  EXPECT_EQ(Images("confident"), 3);
  EXPECT_EQ(Images("none"), 0);
}

TEST_F(ImageOutcomesTest, AllImagesOfACallThatFails) {
  Serve(FakeModel());
  const std::string raw = Raw(1, 9);
  EXPECT_EQ(Run({.packed_pixels = raw}).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Images("overloaded"), 9);
  EXPECT_EQ(ValueOf(metrics_, "digit_refused_total", {"fake", "queue_full"}), 9);
  engines_.control().FailNext(1);
  EXPECT_EQ(Run({.packed_pixels = absl::string_view(raw).substr(0, 2 * kImagePixels)}).code(),
            absl::StatusCode::kInternal);
  EXPECT_EQ(Images("internal"), 2);
}

TEST_F(ImageOutcomesTest, PicturesThatAreTooManyToDecode) {
  Serve(FakeModel());
  EXPECT_EQ(Run({.images = std::vector<ImageInput>(3, {ImageInput::Kind::kEncoded, "no picture"})}).code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ValueOf(metrics_, "digit_decode_refused_total", {"queue_full"}), 3);
  EXPECT_EQ(Images("overloaded"), 3);
}

TEST_F(ImageOutcomesTest, ACallThatReachesNoModelIsNobodys) {
  Serve(FakeModel());
  const std::string raw = Raw(1);
  EXPECT_EQ(Run({.model = "other", .packed_pixels = raw}).code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(std::isnan(ValueOf(metrics_, "digit_images_total", {"other", "none"})));
  EXPECT_EQ(Images("none"), 0);
}

}  // namespace
}  // namespace digit
