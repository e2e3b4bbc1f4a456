// Trainings with a shell script in place of digit-train: real processes, no learning.
#include "daemon/training/trainings.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "daemon/training/training_metrics.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace digit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using State = TrainingJobState;

// What the script finds: $out, where to write the model, and say, which writes an event.
constexpr char kPrologue[] = R"(#!/bin/sh
all="$*"
while [ $# -gt 0 ]; do case "$1" in --out) out="$2"; shift;; esac; shift; done
say() { echo "$1" >&3; }
started() { say '{"event":"started","version":"test","epochs":2,"steps":10,"images":100}'; }
epoch() { say "{\"event\":\"epoch\",\"epoch\":$1,\"loss\":0.5,\"accuracy\":0.$((90 + $1))}"; }
finish() { echo model > "$out"; say '{"event":"done","images":10,"accuracy":0.92}'; }
)";

class TrainingsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char folder[] = "/tmp/digit-trainings.XXXXXX";
    folder_ = mkdtemp(folder);
    std::filesystem::create_directories(folder_ + "/data/mnist");
    Trainer("started; epoch 1; epoch 2; finish");
    Begin();
  }
  void TearDown() override {
    End();
    std::filesystem::remove_all(folder_);
  }
  void Trainer(const std::string& script) {
    ASSERT_TRUE(WriteFileAtomically(trainer(), absl::StrCat(kPrologue, script, "\n")).ok());
    ::chmod(trainer().c_str(), 0755);
  }
  std::string trainer() const { return folder_ + "/trainer"; }
  void Begin() {
    state_ = std::make_unique<StateFolder>(folder_ + "/state");
    Trainings::Options options;
    options.state = state_.get();
    options.trainer = trainer();
    options.version = "test";
    options.threads = 3;
    options.data_dir = folder_ + "/data";
    options.model_name = [](const std::string& model) -> absl::StatusOr<std::string> {
      if (!model.empty() && model != "mnist") return absl::NotFoundError("no model " + model);
      return "mnist";
    };
    options.live_model = [](const std::string&) { return ModelFiles{.bytes = "live"}; };
    options.corrections = [this](const std::string&) { return corrections_; };
    options.publish = [this](const std::string& model, const std::string& path, Promote promote,
                             const std::function<void(absl::StatusOr<Trainings::Published>)>& done) {
      published_.push_back(absl::StrCat(model, " ", ReadFile(path, 100).value_or("nothing")));
      promote_ = promote;
      answer_later_([this, done] { done(publish_result_); });
    };
    options.wall_time = [this] { return now_ += absl::Seconds(1); };
    options.metrics = &metrics_;
    trainings_ = std::make_unique<Trainings>(std::move(options));
  }
  void End() {
    trainings_ = nullptr;
    state_ = nullptr;
  }
  absl::StatusOr<std::string> Submit(const TrainingRequest& request) {
    absl::StatusOr<std::string> id;
    Mutex mu;
    CondVar changed;
    bool answered = false;
    trainings_->Submit(request, [&](absl::StatusOr<std::string> result) {
      MutexLock lock(&mu);
      id = std::move(result);
      answered = true;
      changed.NotifyAll();
    });
    MutexLock lock(&mu);
    while (!answered) changed.Wait(&mu);
    return id;
  }
  // Waits until `what` holds for the training.
  TrainingJob WaitFor(const std::string& id, const std::function<bool(const TrainingJob&)>& what) {
    Mutex mu;
    CondVar changed;
    TrainingJob latest;
    const auto watch = trainings_->Watch(id, [&](const TrainingJob* job) {
      MutexLock lock(&mu);
      if (job != nullptr) latest = *job;
      changed.NotifyAll();
    });
    EXPECT_TRUE(watch.ok()) << watch.status();
    {
      MutexLock lock(&mu);
      while (!what(latest)) changed.Wait(&mu);
    }
    trainings_->Unwatch(*watch);
    return latest;
  }
  TrainingJob WaitForEnd(const std::string& id) {
    return WaitFor(id, [](const TrainingJob& job) { return job.has_ended(); });
  }
  // A script that runs until SIGTERM.
  static constexpr char kEndless[] = "tail -f /dev/null & trap 'exit 130' TERM; started; wait";

  const TrainingRequest request_ = {.data_set = "mnist"};
  std::string folder_;
  absl::Time now_ = absl::FromUnixSeconds(1'000'000'000);
  LabeledImages corrections_;
  std::vector<std::string> published_;
  Promote promote_ = Promote::kNever;
  std::function<void(std::function<void()> answer)> answer_later_ = [](const auto& answer) { answer(); };
  absl::StatusOr<Trainings::Published> publish_result_ =
      Trainings::Published{.version = "3", .promoted = true, .gate = "better"};
  MetricRegistry counted_;
  TrainingMetrics metrics_{&counted_};
  std::unique_ptr<StateFolder> state_;
  std::unique_ptr<Trainings> trainings_;
};

TEST_F(TrainingsTest, TrainsAndPublishes) {
  TrainingRequest request = request_;
  request.promote = Promote::kAlways;
  const auto id = Submit(request);
  ASSERT_TRUE(id.ok()) << id.status();
  const TrainingJob job = WaitForEnd(*id);
  EXPECT_EQ(job.state, State::kDone) << job.error;
  EXPECT_EQ(job.request.model, "mnist");
  EXPECT_EQ(job.version, "3");
  EXPECT_TRUE(job.promoted);
  EXPECT_EQ(job.gate, "better");
  EXPECT_EQ(job.started.epochs, 2);
  ASSERT_EQ(job.epochs.size(), 2u);
  EXPECT_EQ(job.epochs[1].accuracy, 0.92);
  EXPECT_LT(job.created, job.began);
  EXPECT_LT(job.began, job.ended);
  EXPECT_THAT(published_, ElementsAre("mnist model\n"));
  EXPECT_EQ(promote_, Promote::kAlways);
  EXPECT_FALSE(Submit({}).ok());  // runs after the end was told and what is left was tidied up
  std::vector<std::string> left;
  for (const auto& entry : std::filesystem::directory_iterator(folder_ + "/state/trainings/" + *id)) {
    left.push_back(entry.path().filename().string());
  }
  std::sort(left.begin(), left.end());
  EXPECT_THAT(left, ElementsAre("job.json", "log"));
}

TEST_F(TrainingsTest, TheTrainerIsToldWhatWasAsked) {
  Trainer("echo \"$all\" | sed \"s|$(dirname $out)/||g\"; exit 1");
  corrections_ = {.pixels = std::vector<uint8_t>(kImagePixels, 7), .labels = {255}};
  const auto id = Submit({.fine_tune = true, .corrections = true, .epochs = 3, .seed = 9});
  ASSERT_TRUE(id.ok()) << id.status();
  EXPECT_EQ(WaitForEnd(*id).error,
            "--out trained.pt --resume --events-fd 3 --like live.pt --seed 9 --threads 3 --epochs 3 --init live.pt "
            "--corrections "
            "corrections --dataset none");
  const auto other = Submit(request_);
  EXPECT_EQ(WaitForEnd(*other).error,
            absl::StrCat("--out trained.pt --resume --events-fd 3 --like live.pt --seed 1 --threads 3 "
                         "--dataset mnist --data-dir ",
                         folder_, "/data/mnist"));
}

TEST_F(TrainingsTest, WhatCannotBeTrainedIsRefused) {
  const auto refused = [this](const TrainingRequest& request, absl::StatusCode code, const std::string& words) {
    const absl::Status status = Submit(request).status();
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(words));
  };
  refused({}, absl::StatusCode::kInvalidArgument, "nothing to train on");
  refused({.corrections = true}, absl::StatusCode::kInvalidArgument, "fine_tune");
  refused({.data_set = "mnist", .epochs = 1001}, absl::StatusCode::kInvalidArgument, "0..1000");
  refused({.data_set = "mnist", .epochs = -1}, absl::StatusCode::kInvalidArgument, "0..1000");
  refused({.data_set = "mnist", .seed = ~uint64_t{0}}, absl::StatusCode::kInvalidArgument, "seed");
  refused({.data_set = "letters"}, absl::StatusCode::kNotFound, "letters");
  for (const char* name : {"../data/mnist", "/etc", ".", "..", "none", "A"}) {
    refused({.data_set = name}, absl::StatusCode::kInvalidArgument, "data_set");
  }
  refused({.model = "other", .data_set = "mnist"}, absl::StatusCode::kNotFound, "other");
  refused({.fine_tune = true, .corrections = true}, absl::StatusCode::kFailedPrecondition, "no accepted corrections");
  std::filesystem::create_directory_symlink("/etc", folder_ + "/data/out");
  refused({.data_set = "out"}, absl::StatusCode::kInvalidArgument, "leads out of");
  std::filesystem::remove(trainer());
  refused(request_, absl::StatusCode::kFailedPrecondition, "install digit-train");
  EXPECT_TRUE(trainings_->List("").empty());
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/state/trainings") &&
               !std::filesystem::is_empty(folder_ + "/state/trainings"));
}

TEST_F(TrainingsTest, OneRunsTheOthersWait) {
  Trainer(kEndless);
  const std::string first = *Submit(request_);
  WaitFor(first, [](const TrainingJob& job) { return job.started.epochs > 0; });
  const std::string second = *Submit(request_), third = *Submit(request_);
  EXPECT_EQ(trainings_->Get(third)->state, State::kQueued);
  EXPECT_EQ(trainings_->Get(third)->position, 1);
  ASSERT_TRUE(trainings_->Cancel(second).ok());
  EXPECT_EQ(WaitForEnd(second).state, State::kCancelled);
  EXPECT_EQ(trainings_->Get(third)->position, 0);
  ASSERT_TRUE(trainings_->Cancel(first).ok());
  EXPECT_EQ(WaitForEnd(first).state, State::kCancelled);
  WaitFor(third, [](const TrainingJob& job) { return job.state == State::kRunning; });
  const std::vector<TrainingJob> all = trainings_->List("mnist");
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].id, third);
  EXPECT_TRUE(trainings_->List("other").empty());
  EXPECT_EQ(trainings_->Cancel(first).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(trainings_->Cancel("nobody").code(), absl::StatusCode::kNotFound);
}

TEST_F(TrainingsTest, WhatIsCancelledAfterItsProcessHasEndedIsNotPublished) {
  Trainer("read line < \"$(dirname \"$0\")/go\"; started; epoch 1; finish");
  ASSERT_EQ(::mkfifo((folder_ + "/go").c_str(), 0600), 0);
  const std::string id = *Submit(request_);
  absl::Status cancelled = absl::UnknownError("not yet");
  const auto watch = trainings_->Watch(id, [&](const TrainingJob* job) {
    if (job == nullptr || job->epochs.empty() || cancelled.ok()) return;
    siginfo_t ended = {};
    // Until it has ended, which nobody has acted upon yet, as this is the thread that does.
    EXPECT_TRUE(::waitid(P_ALL, 0, &ended, WEXITED | WNOWAIT) == 0 || errno == ECHILD) << errno;
    cancelled = trainings_->Cancel(id);
  });
  ASSERT_TRUE(watch.ok()) << watch.status();
  std::ofstream(folder_ + "/go") << "go\n";
  EXPECT_EQ(WaitForEnd(id).state, State::kCancelled);
  EXPECT_TRUE(cancelled.ok()) << cancelled;
  EXPECT_THAT(published_, IsEmpty());
  trainings_->Unwatch(*watch);
}

TEST_F(TrainingsTest, MetricsShowTheLastEpochAndCountTheEnds) {
  MetricRegistry pulled;
  AddTrainingMetrics(&pulled, trainings_.get());
  using Values = std::map<LabelValues, double>;
  EXPECT_EQ(WaitForEnd(*Submit(request_)).state, State::kDone);
  EXPECT_EQ(pulled.Collect()[1].values, Values());  // none runs
  Trainer("exit 1");
  EXPECT_EQ(WaitForEnd(*Submit(request_)).state, State::kFailed);
  Trainer("tail -f /dev/null & trap 'exit 130' TERM; started; epoch 1; epoch 2; wait");
  const std::string id = *Submit(request_);
  WaitFor(id, [](const TrainingJob& job) { return job.epochs.size() == 2; });
  EXPECT_EQ(pulled.Collect()[1].values, (Values{{{"mnist"}, 0.92}}));
  EXPECT_EQ(counted_.Collect()[0].values, (Values{{{"done"}, 1}, {{"failed"}, 1}, {{"cancelled"}, 0}}));
  ASSERT_TRUE(trainings_->Cancel(id).ok());
  WaitForEnd(id);
  EXPECT_EQ(counted_.Collect()[0].values, (Values{{{"done"}, 1}, {{"failed"}, 1}, {{"cancelled"}, 1}}));
}

TEST_F(TrainingsTest, MoreThanTheLimitMayNotWait) {
  Trainer(kEndless);
  const std::string first = *Submit(request_);
  WaitFor(first, [](const TrainingJob& job) { return job.state == State::kRunning; });
  for (int i = 0; i < Trainings::kMaxWaiting; ++i) ASSERT_TRUE(Submit(request_).ok());
  EXPECT_EQ(Submit(request_).status().code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(TrainingsTest, AFailureSaysWhy) {
  Trainer("started; echo 'digit-train: the disk is full' >&2; exit 1");
  TrainingJob job = WaitForEnd(*Submit(request_));
  EXPECT_EQ(job.state, State::kFailed);
  EXPECT_EQ(job.error, "the disk is full");
  Trainer("started; kill -SEGV $$");
  job = WaitForEnd(*Submit(request_));
  EXPECT_EQ(job.state, State::kFailed);
  EXPECT_THAT(job.error, HasSubstr("signal 11 (Segmentation fault)"));
  Trainer("say 'no json'; exit 3");
  EXPECT_EQ(WaitForEnd(*Submit(request_)).error, "digit-train ended with exit code 3");
  Trainer(
      "say '{\"event\":\"started\",\"version\":\"old\",\"epochs\":1,\"steps\":1,\"images\":1}'; exec tail -f "
      "/dev/null");
  EXPECT_THAT(WaitForEnd(*Submit(request_)).error, HasSubstr("is of version old, this server of test"));
  publish_result_ = absl::FailedPreconditionError("other labels");
  Trainer("started; finish");
  EXPECT_EQ(WaitForEnd(*Submit(request_)).error, "other labels");
}

TEST_F(TrainingsTest, WhatRunsAndWaitsGoesOnAfterARestart) {
  Trainer(kEndless);
  const std::string first = *Submit(request_), second = *Submit(request_);
  WaitFor(first, [](const TrainingJob& job) { return job.started.epochs > 0; });
  End();
  Trainer("started; epoch 2; finish");
  Begin();
  trainings_->Restore();
  while (trainings_->List("").size() < 2) std::this_thread::yield();
  EXPECT_EQ(WaitForEnd(first).state, State::kDone);
  EXPECT_EQ(WaitForEnd(second).state, State::kDone);
  EXPECT_EQ(published_.size(), 2u);
}

TEST_F(TrainingsTest, WhatWasTrainedButNotPublishedIsPublishedAfterARestart) {
  Trainer("tail -f /dev/null & trap 'exit 130' TERM; started; finish; wait");
  const std::string id = *Submit(request_);
  while (!std::filesystem::exists(folder_ + "/state/trainings/" + id + "/trained.pt")) std::this_thread::yield();
  End();
  Trainer("exit 1");
  Begin();
  trainings_->Restore();
  while (trainings_->List("").empty()) std::this_thread::yield();
  EXPECT_EQ(WaitForEnd(id).state, State::kDone);
  EXPECT_THAT(published_, ElementsAre("mnist model\n"));
}

TEST_F(TrainingsTest, WhatIsBeingPublishedWhenTheServerStopsIsPublishedOnce) {
  std::promise<std::function<void()>> publishing;
  answer_later_ = [&](std::function<void()> answer) { publishing.set_value(std::move(answer)); };
  const std::string id = *Submit(request_);
  const std::function<void()> answer = publishing.get_future().get();
  std::thread stopping([this] { trainings_->Stop(); });
  while (Submit({}).status().code() != absl::StatusCode::kUnavailable) std::this_thread::yield();
  answer();
  stopping.join();
  End();
  Begin();
  trainings_->Restore();
  while (trainings_->List("").empty()) std::this_thread::yield();
  EXPECT_EQ(WaitForEnd(id).version, "3");
  EXPECT_EQ(published_.size(), 1u);
}

TEST_F(TrainingsTest, ADamagedRecordHarmsNoOther) {
  const std::string id = *Submit(request_);
  WaitForEnd(id);
  End();
  std::filesystem::create_directories(folder_ + "/state/trainings/bad");
  ASSERT_TRUE(WriteFileAtomically(folder_ + "/state/trainings/bad/job.json", "{").ok());
  Begin();
  trainings_->Restore();
  while (trainings_->List("").empty()) std::this_thread::yield();
  EXPECT_EQ(trainings_->Get(id)->version, "3");
  EXPECT_EQ(trainings_->Get("bad").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(TrainingsTest, OfTheEndedOnesTheLastAreRemembered) {
  Trainer("exit 1");
  std::string last;
  for (int i = 0; i < Trainings::kMaxRemembered + 3; ++i) {
    last = *Submit(request_);
    WaitForEnd(last);
  }
  EXPECT_EQ(Submit(request_).status(), absl::OkStatus());  // whatever is forgotten is forgotten by now
  const auto ended = trainings_->List("");
  EXPECT_LE(ended.size(), Trainings::kMaxRemembered + 1u);
  EXPECT_TRUE(trainings_->Get(last).ok());
}

TEST_F(TrainingsTest, WatchersAreToldThatTheServerStops) {
  Trainer(kEndless);
  const std::string id = *Submit(request_);
  int told = 0, ended = 0;
  ASSERT_TRUE(trainings_->Watch(id, [&](const TrainingJob* job) { ++(job == nullptr ? ended : told); }).ok());
  trainings_->EndWatches();
  EXPECT_GE(told, 1);
  EXPECT_EQ(ended, 1);
  EXPECT_EQ(trainings_->Watch(id, [](const TrainingJob*) {}).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(trainings_->Watch("nobody", [](const TrainingJob*) {}).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(TrainingsTest, AStateFolderThatCannotBeUsedIsSaid) {
  StateFolder other(folder_ + "/state");
  ASSERT_TRUE(other.Open().ok());
  EXPECT_THAT(std::string(Submit(request_).status().message()), HasSubstr("another digitd uses"));
}

}  // namespace
}  // namespace digit
