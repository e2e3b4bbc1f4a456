#include "daemon/serving/corrections.h"

#include <cstdlib>
#include <filesystem>
#include <future>

#include "base/retry_after.h"
#include "daemon/feedback/sqlite_feedback_store.h"
#include "daemon/serving/feedback_metrics.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fake_engine.h"
#include "tests/support/simulated_clock.h"

namespace digit {
namespace {

using ::testing::HasSubstr;

std::string Raw(int c) {
  std::string bytes(kImagePixels, '\0');
  bytes[0] = static_cast<char>(10 + c);  // a FakeEngine says c
  return bytes;
}

// A 28x28 PGM file, dark border: taken as it is.
std::string Pgm(int c) { return "P5 28 28 255\n" + Raw(c).substr(0, 400) + std::string(384, '\xff'); }

// A store that a test can hold up.
class SlowStore : public FeedbackStore {
 public:
  explicit SlowStore(FeedbackStore* store) : store_(store) {}
  absl::StatusOr<Added> Add(const Correction& correction) override {
    Wait();
    return store_->Add(correction);
  }
  absl::StatusOr<std::vector<StoredCorrection>> List(const Query& query) override {
    Wait();
    return store_->List(query);
  }
  absl::StatusOr<std::vector<StoredCorrection>> Review(absl::Span<const int64_t> ids, CorrectionState state) override {
    return store_->Review(ids, state);
  }
  absl::StatusOr<std::vector<AnswerCount>> CountAnswers(const std::string& model) override {
    Wait();
    if (!failure_.ok()) return failure_;
    return store_->CountAnswers(model);
  }
  absl::StatusOr<TrainingPictures> Accepted(const std::string& model, absl::Span<const std::string> labels) override {
    return store_->Accepted(model, labels);
  }

  void Hold(bool held) {
    MutexLock lock(&mu_);
    held_ = held;
    changed_.NotifyAll();
  }
  void WaitUntilHeld() {
    MutexLock lock(&mu_);
    while (!waiting_) changed_.Wait(&mu_);
  }
  void FailCounts(absl::Status failure) { failure_ = std::move(failure); }

 private:
  void Wait() {
    MutexLock lock(&mu_);
    waiting_ = true;
    changed_.NotifyAll();
    while (held_) changed_.Wait(&mu_);
    waiting_ = false;
  }

  FeedbackStore* const store_;
  absl::Status failure_;  // set before it is used
  Mutex mu_;
  CondVar changed_;
  bool held_ ABSL_GUARDED_BY(mu_) = false, waiting_ ABSL_GUARDED_BY(mu_) = false;
};

class CorrectionsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    InitImageLibrary();
    char folder[] = "/tmp/digit-corrections.XXXXXX";
    scratch_ = mkdtemp(folder);
    state_ = std::make_unique<StateFolder>(scratch_ + "/state");
    const SqliteFeedbackStore::Options store_options{.folder = state_.get()};
    sqlite_ = std::make_unique<SqliteFeedbackStore>(store_options);
    store_ = std::make_unique<SlowStore>(sqlite_.get());
    ASSERT_TRUE(registry_.Add("fake", "1", FakeModel(), absl::UnixEpoch()).ok());
    Corrections::Options options{.registry = &registry_, .decode_pool = decode_pool_.get(), .store = store_.get()};
    options.max_waiting = 2;
    options.clock = &clock_;
    options.metrics = &metrics_;
    options.wall_time = [] { return absl::FromUnixSeconds(1'700'000'000); };
    corrections_ = std::make_unique<Corrections>(std::move(options));
  }
  void TearDown() override {
    decode_pool_.reset();
    corrections_.reset();
    std::filesystem::remove_all(scratch_);
  }

  CorrectionCall Say(const std::string& truth) {
    CorrectionCall call;
    call.image = {ImageInput::Kind::kPixels, raw_};
    call.version = std::string(1, '1');
    call.answered = std::string(1, '1');
    call.truth = truth;
    call.source = "ada";
    return call;
  }
  std::future<absl::StatusOr<FeedbackStore::Added>> Start(CorrectionCall call) {
    auto promise = std::make_shared<std::promise<absl::StatusOr<FeedbackStore::Added>>>();
    corrections_->Submit(std::move(call), [promise](absl::StatusOr<FeedbackStore::Added> added) {
      promise->set_value(std::move(added));
    });
    return promise->get_future();
  }
  absl::StatusOr<FeedbackStore::Added> Run(CorrectionCall call) { return Start(std::move(call)).get(); }
  void ExpectRefused(CorrectionCall call, absl::StatusCode code, const std::string& words) {
    const auto added = Run(std::move(call));
    EXPECT_EQ(added.status().code(), code) << added.status();
    EXPECT_THAT(std::string(added.status().message()), HasSubstr(words));
  }
  // What was asked of the thread "feedback" before has been done when this returns.
  void WaitForThread() {
    std::promise<void> done;
    corrections_->List({}, [&](const absl::StatusOr<std::vector<StoredCorrection>>&) { done.set_value(); });
    done.get_future().wait();
  }
  std::vector<StoredCorrection> Stored() { return *sqlite_->List({.with_pixels = true}); }

  const std::string raw_ = Raw(7);
  std::string scratch_;
  FakeEngineFactory engines_;
  std::unique_ptr<Pool> pool_ = *Pool::Create({.max_batch_size = 4, .engines = &engines_});
  ModelRegistry registry_{pool_.get()};
  std::unique_ptr<DecodePool> decode_pool_ = std::make_unique<DecodePool>(DecodePool::Options{.threads = 1});
  std::unique_ptr<StateFolder> state_;
  std::unique_ptr<SqliteFeedbackStore> sqlite_;
  std::unique_ptr<SlowStore> store_;
  SimulatedClock clock_;
  MetricRegistry counted_;
  FeedbackMetrics metrics_{&counted_};
  std::unique_ptr<Corrections> corrections_;
};

TEST_F(CorrectionsTest, StoresRawPixelsAsTheyAre) {
  const auto added = Run(Say("7"));
  ASSERT_TRUE(added.ok()) << added.status();
  EXPECT_FALSE(added->duplicate);
  ASSERT_EQ(Stored().size(), 1u);
  EXPECT_EQ(Stored()[0].pixels, raw_);
  EXPECT_EQ(Stored()[0].model, "fake");
  EXPECT_EQ(Stored()[0].version, "1");
  EXPECT_EQ(Stored()[0].source, "ada");
  EXPECT_EQ(Stored()[0].created, absl::FromUnixSeconds(1'700'000'000));
}

TEST_F(CorrectionsTest, FramesAFileAsRecognizeDoes) {
  const std::string pgm = Pgm(5);
  CorrectionCall call = Say("5");
  call.image = {ImageInput::Kind::kEncoded, pgm};
  ASSERT_TRUE(Run(std::move(call)).ok());
  const FramedImage framed = FrameImage(pgm, Framing::kMnist);
  EXPECT_EQ(Stored()[0].pixels, std::string(framed.pixels.begin(), framed.pixels.end()));
}

TEST_F(CorrectionsTest, APictureThatShowsNothingIsRefused) {
  const std::string blank(kImagePixels, '\0'), blank_file = "P5 40 40 255\n" + std::string(1600, '\xff');
  CorrectionCall call = Say("7");
  call.image = {ImageInput::Kind::kPixels, blank};
  ExpectRefused(call, absl::StatusCode::kInvalidArgument, "no digit found");
  call.image = {ImageInput::Kind::kEncoded, blank_file};
  ExpectRefused(call, absl::StatusCode::kInvalidArgument, "no digit found");
  call.image = {ImageInput::Kind::kPixels, "short"};
  ExpectRefused(call, absl::StatusCode::kInvalidArgument, "5 bytes, must be 784");
  call.image = {ImageInput::Kind::kEncoded, "no picture"};
  ExpectRefused(call, absl::StatusCode::kInvalidArgument, "");
  call.image = {};
  ExpectRefused(call, absl::StatusCode::kInvalidArgument, "image has neither");
  EXPECT_TRUE(Stored().empty());
}

TEST_F(CorrectionsTest, LabelsMustBeTheModels) {
  ExpectRefused(Say("ten"), absl::StatusCode::kInvalidArgument,
                "label 'ten' is no label of model 'fake'; it has 0, 1, 2, 3, 4, 5, 6, 7, 8, 9");
  CorrectionCall call = Say("7");
  call.answered = "one";
  ExpectRefused(call, absl::StatusCode::kInvalidArgument, "answered_label 'one' is no label");
  call.answered = std::nullopt;
  call.truth = std::string(kNotADigitLabel);
  EXPECT_TRUE(Run(call).ok());
}

TEST_F(CorrectionsTest, AModelMustBeThereAVersionNeedNot) {
  CorrectionCall call = Say("7");
  call.model = "other";
  ExpectRefused(call, absl::StatusCode::kNotFound, "no model 'other'");
  call = Say("7");
  call.version = "683daa5f36a6";
  EXPECT_EQ(Run(call)->correction.version, "683daa5f36a6");
  call.source = "bob";
  call.version = "stable";
  EXPECT_EQ(Run(call)->correction.version, "1");
  call.source = "eve";
  call.version = "";
  EXPECT_EQ(Run(call)->correction.version, "");
  call.version = "../etc";
  ExpectRefused(call, absl::StatusCode::kInvalidArgument, "version must be at most 64 letters");
  call.version = std::string(65, 'a');
  ExpectRefused(call, absl::StatusCode::kInvalidArgument, "version must be at most 64 letters");
}

TEST_F(CorrectionsTest, SourcesAreShortAndPrintable) {
  CorrectionCall call = Say("7");
  call.source = "";
  for (int i = 0; i < 64; ++i) call.source += "\xe6\x95\xb0";  // 64 characters, 192 bytes
  EXPECT_TRUE(Run(call).ok());
  call.source += "a";
  ExpectRefused(call, absl::StatusCode::kInvalidArgument, "source is longer than 64 characters");
  call.source = "a\nb";
  ExpectRefused(call, absl::StatusCode::kInvalidArgument, "control characters");
  call.source = "a\xc2\x9b";
  ExpectRefused(call, absl::StatusCode::kInvalidArgument, "control characters");
}

TEST_F(CorrectionsTest, WhatWaitsForTheStoreIsBounded) {
  store_->Hold(true);
  auto first = Start(Say("7"));
  store_->WaitUntilHeld();
  auto second = Start(Say("8"));
  const auto refused = Run(Say("9"));
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(RetryAfterOf(refused.status()).has_value());
  store_->Hold(false);
  EXPECT_TRUE(first.get().ok());
  EXPECT_TRUE(second.get().ok());
}

TEST_F(CorrectionsTest, StatisticsHaveAnswersAndCorrections) {
  Recognizer recognizer({}, &registry_, decode_pool_.get());
  std::promise<void> answered;
  const std::string packed = Raw(1) + Raw(1) + std::string(kImagePixels, '\0') + Raw(7);
  RecognizeCall recognize;
  recognize.packed_pixels = packed;
  recognizer.Recognize(std::move(recognize), [&](absl::StatusOr<RecognizeResult> result) {
    EXPECT_TRUE(result.ok());
    answered.set_value();
  });
  answered.get_future().wait();
  ASSERT_TRUE(Run(Say("7")).ok());

  std::promise<absl::StatusOr<ModelStats>> promise;
  corrections_->Stats("", [&](absl::StatusOr<ModelStats> stats) { promise.set_value(std::move(stats)); });
  const absl::StatusOr<ModelStats> stats = promise.get_future().get();
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_EQ(stats->model, "fake");
  ASSERT_EQ(stats->versions.size(), 1u);
  const VersionStats& version = stats->versions[0];
  EXPECT_EQ(version.version, "1");
  EXPECT_EQ(version.answers->all.images(), 3);
  EXPECT_EQ(version.answers->all.classes[1], 2);
  EXPECT_EQ(version.answers->all.classes[7], 1);
  EXPECT_EQ(version.answers->all.no_digit, 1);
  EXPECT_FALSE(version.drift.has_value());
  EXPECT_EQ(version.corrections, 1);
  EXPECT_EQ(version.confirmed, 0);
  EXPECT_EQ(version.confusion[7 * 11 + 1], 1);
  EXPECT_EQ(corrections_->StatsNow("other").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(CorrectionsTest, StatisticsOfAnswersDoNotNeedTheStore) {
  store_->FailCounts(absl::FailedPreconditionError("'feedback.db' is damaged"));
  const auto stats = corrections_->StatsNow("fake");
  ASSERT_TRUE(stats.ok());
  EXPECT_EQ(stats->corrections.message(), "'feedback.db' is damaged");
  EXPECT_EQ(stats->versions.size(), 1u);
}

TEST_F(CorrectionsTest, LatestStatisticsDoNotWaitForTheStore) {
  ASSERT_TRUE(Run(Say("7")).ok());
  store_->Hold(true);
  for (int i = 0; i < 2; ++i) {
    const std::vector<ModelStats> unread = corrections_->LatestStats();
    ASSERT_EQ(unread.size(), 1u);
    EXPECT_EQ(unread[0].versions.size(), 1u);
    EXPECT_EQ(unread[0].corrections.code(), absl::StatusCode::kUnavailable);
    store_->WaitUntilHeld();
  }
  store_->Hold(false);
  WaitForThread();
  const std::vector<ModelStats> read = corrections_->LatestStats();
  EXPECT_TRUE(read[0].corrections.ok());
  EXPECT_EQ(read[0].versions[0].corrections, 1);
}

TEST_F(CorrectionsTest, LatestStatisticsReadTheStoreAnewOnlyNowAndThen) {
  const auto corrections = [this] {
    corrections_->LatestStats();  // has it read, if it is time
    WaitForThread();
    const ModelStats stats = corrections_->LatestStats()[0];
    return stats.corrections.ok() ? stats.versions[0].corrections : -1;
  };
  EXPECT_EQ(corrections(), 0);
  ASSERT_TRUE(Run(Say("7")).ok());
  EXPECT_EQ(corrections(), 0);
  clock_.Advance(Corrections::kReadAgain);
  EXPECT_EQ(corrections(), 1);
  store_->FailCounts(absl::UnavailableError("'feedback.db' is locked"));
  EXPECT_EQ(corrections(), 1);
  clock_.Advance(Corrections::kReadAgain);
  EXPECT_EQ(corrections(), -1);  // not known any more
}

TEST_F(CorrectionsTest, IsCountedByOutcome) {
  ASSERT_TRUE(Run(Say("7")).ok());
  ASSERT_TRUE(Run(Say("7")).ok());
  EXPECT_FALSE(Run(Say("seven")).ok());
  CorrectionCall call = Say("7");
  call.model = "what a caller says";
  EXPECT_FALSE(Run(call).ok());
  const std::map<LabelValues, double> expected = {
      {{"fake", "stored"}, 1}, {{"fake", "duplicate"}, 1}, {{"fake", "refused"}, 1}, {{"", "refused"}, 1}};
  EXPECT_EQ(counted_.Collect()[0].values, expected);
}

}  // namespace
}  // namespace digit
