#include "daemon/serving/recognizer.h"

#include <future>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fake_engine.h"
#include "tests/support/simulated_clock.h"

namespace digit {
namespace {

using ::testing::HasSubstr;

// Pictures whose classes, for a FakeEngine, are `c`, c + 1, ...; never blank.
std::string Raw(int c, int images = 1) {
  std::string bytes(static_cast<size_t>(images) * kImagePixels, '\0');
  for (int i = 0; i < images; ++i) bytes[static_cast<size_t>(i) * kImagePixels] = static_cast<char>(10 + c + i);
  return bytes;
}

// A 28x28 PGM file: dark border, so it is taken as it is.
std::string Pgm(int c) { return "P5 28 28 255\n" + Raw(c).substr(0, 400) + std::string(384, '\xff'); }

class RecognizerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    InitImageLibrary();
    pool_ = *Pool::Create({.max_batch_size = 4, .max_queued_images = 40, .engines = &engines_, .clock = &clock_});
    registry_ = std::make_unique<ModelRegistry>(pool_.get());
    ASSERT_TRUE(registry_->Add("fake", "1", FakeModel(), absl::UnixEpoch()).ok());
    recognizer_ = std::make_unique<Recognizer>(Recognizer::Options{.max_images_per_call = 50, .clock = &clock_},
                                               registry_.get(), &decode_pool_);
  }
  std::future<absl::StatusOr<RecognizeResult>> Start(RecognizeCall call) {
    auto promise = std::make_shared<std::promise<absl::StatusOr<RecognizeResult>>>();
    recognizer_->Recognize(
        std::move(call), [promise](absl::StatusOr<RecognizeResult> result) { promise->set_value(std::move(result)); });
    return promise->get_future();
  }
  absl::StatusOr<RecognizeResult> Run(RecognizeCall call) { return Start(std::move(call)).get(); }

  SimulatedClock clock_;
  FakeEngineFactory engines_;
  std::unique_ptr<Pool> pool_;
  std::unique_ptr<ModelRegistry> registry_;
  DecodePool decode_pool_{{.threads = 2, .max_queued = 8}};  // ends first: it submits to the pool
  std::unique_ptr<Recognizer> recognizer_;
};

TEST_F(RecognizerTest, AnswersInCallOrderWhateverTheKindOfImage) {
  const std::string raw = Raw(3), pgm = Pgm(5), packed = Raw(6, 2);
  const auto result = Run({.images = {{ImageInput::Kind::kPixels, raw}, {ImageInput::Kind::kEncoded, pgm}},
                           .packed_pixels = packed,
                           .include_pixels = true});
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_EQ(result->images.size(), 4u);
  EXPECT_EQ(result->images[0].prediction.label_index, 3);
  EXPECT_EQ(result->images[1].prediction.label_index, 5);
  EXPECT_EQ(result->images[2].prediction.label_index, 6);
  EXPECT_EQ(result->images[3].prediction.label_index, 7);
  EXPECT_EQ(result->images[3].pixels[0], 17);
  EXPECT_EQ(result->model->name, "fake");
  EXPECT_EQ(result->timing.batch.engine, "fake");
}

TEST_F(RecognizerTest, ACallLargerThanABatchIsSplitAndPutTogether) {
  const std::string packed = Raw(0, 10);
  engines_.control().ForgetBatches();
  const auto result = Run({.packed_pixels = packed});
  ASSERT_TRUE(result.ok()) << result.status();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(result->images[i].prediction.label_index, i);
  EXPECT_THAT(engines_.control().batch_sizes(), ::testing::ElementsAre(4, 4, 2));
}

TEST_F(RecognizerTest, ABadImageFailsItselfOnly) {
  const std::string raw = Raw(3), blank = "P5 40 40 255\n" + std::string(1600, '\xff');
  const auto result = Run({.images = {{},
                                      {ImageInput::Kind::kPixels, "short"},
                                      {ImageInput::Kind::kEncoded, "no picture"},
                                      {ImageInput::Kind::kEncoded, blank},
                                      {ImageInput::Kind::kPixels, raw}}});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->images[0].reason, ErrorReason::kUndecodable);
  EXPECT_THAT(std::string(result->images[1].status.message()), HasSubstr("5 bytes, must be 784"));
  EXPECT_EQ(result->images[2].reason, ErrorReason::kUndecodable);
  EXPECT_EQ(result->images[3].reason, ErrorReason::kNoDigit);
  EXPECT_TRUE(result->images[4].status.ok());
}

TEST_F(RecognizerTest, BlankPixelsAreNoDigitAndNeverRun) {
  engines_.control().ForgetBatches();
  const std::string blank(kImagePixels, '\0'), packed = blank + Raw(4) + blank;
  const auto result = Run({.images = {{ImageInput::Kind::kPixels, blank}}, .packed_pixels = packed});
  ASSERT_TRUE(result.ok()) << result.status();
  for (int i : {0, 1, 3}) EXPECT_EQ(result->images[i].reason, ErrorReason::kNoDigit);
  EXPECT_EQ(result->images[2].prediction.label_index, 4);
  EXPECT_THAT(engines_.control().batch_sizes(), ::testing::ElementsAre(1));
}

TEST_F(RecognizerTest, ABadImageAloneIsStillAResult) {
  const auto result = Run({.images = {{ImageInput::Kind::kEncoded, "no picture"}}});
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->images[0].reason, ErrorReason::kUndecodable);
}

TEST_F(RecognizerTest, AWrongCallFailsAndNamesTheLimit) {
  const std::string packed = Raw(0, 51);
  EXPECT_EQ(Run({}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(Run({.packed_pixels = "12"}).status().message()), HasSubstr("multiple of 784"));
  EXPECT_THAT(std::string(Run({.packed_pixels = packed}).status().message()), HasSubstr("limit for one call is 50"));
  EXPECT_EQ(Run({.model = "other", .packed_pixels = absl::string_view(packed).substr(0, 784)}).status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(RecognizerTest, AFullQueueRefusesTheCallAsAWhole) {
  const std::string packed = Raw(0, 50);
  const auto result = Run({.packed_pixels = packed});
  EXPECT_EQ(result.status().code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(RecognizerTest, TooManyPicturesToDecodeAreRefusedAsAWhole) {
  const std::string pgm = Pgm(1);
  const auto result = Run({.images = std::vector<ImageInput>(9, {ImageInput::Kind::kEncoded, pgm})});
  EXPECT_EQ(result.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(result.status().message()), HasSubstr("limit of 8"));
}

TEST_F(RecognizerTest, PicturesAreNotDecodedForAModelThatIsFull) {
  const std::string raw = Raw(1, 20), pgm = Pgm(1);
  engines_.control().Hold(true);
  std::vector<std::future<absl::StatusOr<RecognizeResult>>> running;
  running.push_back(Start({.packed_pixels = raw}));
  engines_.control().WaitUntilHeld(1);
  running.push_back(Start({.packed_pixels = absl::string_view(raw).substr(0, 4 * kImagePixels)}));
  const auto refused = Run({.images = std::vector<ImageInput>(8, {ImageInput::Kind::kEncoded, pgm})});
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("model fake/1"));
  engines_.control().Hold(false);
  for (auto& result : running) EXPECT_TRUE(result.get().ok());
}

TEST_F(RecognizerTest, WorkThatExpiresInTheQueueNeverRuns) {
  const std::string raw = Raw(1);
  EXPECT_EQ(Run({.packed_pixels = raw, .deadline = clock_.Now()}).status().code(), absl::StatusCode::kDeadlineExceeded);
  engines_.control().Hold(true);
  auto running = Start({.packed_pixels = raw});
  engines_.control().WaitUntilHeld(1);
  engines_.control().ForgetBatches();
  auto waiting = Start({.packed_pixels = raw, .deadline = clock_.Now() + absl::Milliseconds(5)});
  clock_.Advance(absl::Milliseconds(5));
  engines_.control().Hold(false);
  EXPECT_TRUE(running.get().ok());
  EXPECT_EQ(waiting.get().status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(engines_.control().batch_sizes(), ::testing::IsEmpty());
}

TEST_F(RecognizerTest, WorkWhoseCallerHasGoneNeverRuns) {
  const std::string raw = Raw(1);
  engines_.control().Hold(true);
  auto running = Start({.packed_pixels = raw});
  engines_.control().WaitUntilHeld(1);
  engines_.control().ForgetBatches();
  auto cancelled = std::make_shared<std::atomic<bool>>(false);
  auto waiting = Start({.packed_pixels = raw, .cancelled = cancelled});
  *cancelled = true;
  engines_.control().Hold(false);
  EXPECT_EQ(waiting.get().status().code(), absl::StatusCode::kCancelled);
  EXPECT_TRUE(running.get().ok());
  EXPECT_THAT(engines_.control().batch_sizes(), ::testing::IsEmpty());
}

TEST_F(RecognizerTest, AFailingEngineFailsTheCall) {
  engines_.control().set_behaviour(FakeEngineControl::Behaviour::kFail);
  const std::string raw = Raw(1);
  EXPECT_EQ(Run({.packed_pixels = raw}).status().code(), absl::StatusCode::kInternal);
}

TEST_F(RecognizerTest, ARequestKeepsItsVersionWhenTheModelGoes) {
  const std::string raw = Raw(2);
  engines_.control().Hold(true);
  auto running = Start({.packed_pixels = raw});
  engines_.control().WaitUntilHeld(1);
  registry_->Clear();
  engines_.control().Hold(false);
  const auto result = running.get();
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->model->version, "1");
  EXPECT_EQ(Run({.packed_pixels = raw}).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace digit
